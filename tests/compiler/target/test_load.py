"""A target file says everything once, and is refused with its path and the key that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import aretusa.target
from aretusa.errors import ExitCode, UsageError
from aretusa.target.description import Confidence, Kernels, MemoryId
from aretusa.target.load import BUILT_IN, load_target

SIRACUSA = Path(aretusa.target.__file__).with_name("siracusa.toml").read_text("utf-8")


def refusal(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        load_target(str(path))
    error = caught.value
    assert error.code == "E0301"
    assert error.exit_code is ExitCode.USAGE
    assert error.file == str(path)
    assert "\n" not in error.line()
    return error.why


def test_siracusa_is_built_in() -> None:
    target = load_target()
    assert target.name == "siracusa"
    assert [memory.id for memory in target.memories] == list(MemoryId)
    assert target.memory(MemoryId.L1).size_bytes == 256 * 1024


def test_every_number_has_a_source_and_a_confidence() -> None:
    facts = load_target().facts
    assert len({fact.key for fact in facts}) == len(facts) > 30
    for fact in facts:
        assert fact.source
        assert isinstance(fact.confidence, Confidence)


def test_energies_stand_with_their_ranges_in_the_facts() -> None:
    target = load_target()
    ranged = {fact.key: fact for fact in target.facts if fact.low is not None}
    assert all(fact.key.startswith("energy.") for fact in ranged.values())
    assert not [fact for fact in target.facts if fact.key.startswith("energy.") and not fact.low]
    for fact in ranged.values():
        assert fact.low is not None
        assert fact.high is not None
        assert fact.low < fact.value < fact.high
    port = target.energy.link.weight_port_byte_pj
    fact = ranged["energy.link.weight_port_byte_pj"]
    assert (port.value, port.low, port.high) == (fact.value, fact.low, fact.high)


def test_a_file_equal_to_the_built_in_one_gives_the_same_target(tmp_path: Path) -> None:
    path = tmp_path / "my target ü.toml"
    path.write_text(SIRACUSA, "utf-8")
    assert load_target(str(path)) == load_target()


def test_a_variant_names_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    fact = '{ value = 65536, confidence = "assumed", source = "a test" }'
    path.write_text(f'base = "siracusa"\nname = "small"\n[memory.l1]\nsize_bytes = {fact}\n')
    target = load_target(str(path))
    assert target.name == "small"
    assert target.memory(MemoryId.L1).size_bytes == 65536
    assert target.memory(MemoryId.L2) == load_target().memory(MemoryId.L2)


def test_a_variant_of_a_variant_keeps_what_both_say(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    fact = '{ value = 65536, confidence = "assumed", source = "a test" }'
    path.write_text(f'base = "siracusa-1gib"\nname = "small"\n[memory.l1]\nsize_bytes = {fact}\n')
    target = load_target(str(path))
    assert target.memory(MemoryId.L1).size_bytes == 65536
    assert target.memory(MemoryId.L3).size_bytes == 2**30


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_targets_are_named_like_their_files(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    siracusa = load_target()
    differing = [fact.key for fact in target.facts if fact not in siracusa.facts]
    assert differing == (["memory.l3.size_bytes"] if name == "siracusa-1gib" else [])
    assert (target.kernels is Kernels.XPULP) == (name == "siracusa-xpulp")


@pytest.mark.parametrize("value", [0, 1])
def test_the_engine_may_take_signed_inputs_or_not(value: int, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    fact = f'{{ value = {value}, confidence = "assumed", source = "a test" }}'
    path.write_text(
        f'base = "siracusa"\nname = "other"\n[neureka_features]\nsigned_input = {fact}\n'
    )
    assert load_target(str(path)).has_signed_input is bool(value)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("value = 262144", "value = -1", "memory.l1.size_bytes"),
        ("value = 262144", "value = 0", "memory.l1.size_bytes"),
        ("value = 262144", 'value = "256 KiB"', "memory.l1.size_bytes"),
        ("value = 262144", "value = 262144.5", "memory.l1.size_bytes"),
        ("value = 262144", "value = 262144.0", "memory.l1.size_bytes"),
        ("value = 262144", "value = nan", "memory.l1.size_bytes"),
        ("value = 262144", "value = inf", "memory.l1.size_bytes"),
        ("value = 262144", "value = true", "memory.l1.size_bytes"),
        ("value = 262144,", "", "memory.l1.size_bytes"),
        ("size_bytes = { value = 262144", "sizebytes = { value = 262144", "'size_bytes'"),
        ("value = 36864", "value = -1", "memory.l1.reserved_bytes"),
        ("value = 36864", "value = 262176", "memory.l1.reserved_bytes"),
        ('confidence = "read"', 'confidence = "certain"', "not one of"),
        ("[memory.l1]", "[memory.l9]", "l9"),
        ('name = "siracusa"', "name = siracusa", "Invalid value"),
        ('name = "siracusa"', 'name = "two\\nlines"', "name"),
        ('name = "siracusa"', 'name = "siracusa"\nbase = "mars"', "'mars'"),
        ('name = "siracusa"', 'name = "siracusa"\nclock_mhz = 360', "clock_mhz"),
        ("[energy.l1]", "[energy.l4]", "energy.l4"),
        (
            "w2_pj = { value = 0.118, low = 0.03",
            "w2_pj = { value = 0.118, low = 0.2",
            "mac_3x3.w2_pj",
        ),
        (
            "value = 0.118, low = 0.03, high = 0.18",
            "value = 0.118, low = 0.03, high = 0.1",
            "w2_pj",
        ),
        (
            "value = 0.118, low = 0.03, high = 0.18",
            "value = 0.118, low = 0.03, high = inf",
            "w2_pj",
        ),
        ("value = 0.118, low = 0.03", 'value = 0.118, low = "no"', "mac_3x3.w2_pj.low"),
        ("value = 0.118, low = 0.03", "value = 0.118", "w2_pj.low"),
    ],
)
def test_names_the_key_that_is_wrong(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in SIRACUSA
    assert why in refusal(tmp_path / "chip.toml", SIRACUSA.replace(old, new, 1))


@pytest.mark.parametrize("text", ["", "memory = 3", "[memory]\nl1 = 5", "[[memory]]", "[cluster]"])
def test_other_documents_are_refused(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path / "chip.toml", text)


def test_an_unknown_name_is_taken_for_a_path() -> None:
    with pytest.raises(UsageError, match=r"E0301.*siracuse.*built-in target \(siracusa, .*\)"):
        load_target("siracuse")


def test_what_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chip.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="E0301"):
        load_target(str(path))
