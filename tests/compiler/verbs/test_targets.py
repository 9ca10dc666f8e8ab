from __future__ import annotations

import pytest

from aretusa.target.load import BUILT_IN, load_target
from aretusa.ui import target_lines
from aretusa.verbs.targets import list_targets, show_target, unit_of


def test_all_built_in_targets_are_listed() -> None:
    assert list_targets().targets == list(BUILT_IN)


def test_every_number_is_shown_with_its_source_and_its_range() -> None:
    facts, shown = load_target().facts, show_target("siracusa").facts
    assert [(fact.key, fact.value, fact.source, fact.low, fact.high) for fact in facts] == [
        (one.key, one.value, one.source, one.low, one.high) for one in shown
    ]


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("memory.l1.size_bytes", "B"),
        ("memory.l1.base_address", ""),
        ("dma.bytes_per_cycle", "B/cycle"),
        ("dma.setup_cycles", "cycles"),
        ("dma.channels", ""),
        ("clock.cluster_hz", "Hz"),
        ("energy.mram.read_byte_pj", "pJ"),
        ("energy.idle.cycle_pj", "pJ"),
        ("energy.idle.leakage_uw", "uW"),
    ],
)
def test_the_end_of_a_key_is_its_unit(key: str, unit: str) -> None:
    assert unit_of(key) == unit
    assert any(fact.key == key for fact in load_target().facts)


def test_every_energy_has_a_unit() -> None:
    energies = [fact for fact in show_target("siracusa").facts if fact.key.startswith("energy.")]
    assert {fact.unit for fact in energies} == {"pJ", "uW"}


def test_lines_tell_ranges_where_there_are_any() -> None:
    lines = list(target_lines(show_target("siracusa")))
    port = next(line for line in lines if line.startswith("energy.link.weight_port_byte_pj"))
    assert port.split() == [
        "energy.link.weight_port_byte_pj",
        "0.2",
        "pJ",
        "assumed,",
        "0.1",
        "to",
        "0.5",
    ]
    cores = next(line for line in lines if line.startswith("cluster.cores"))
    assert cores.split() == ["cluster.cores", "8", "read"]
