"""Laws of energy: it is the sum of its parts, and each part is a count times a constant."""

from __future__ import annotations

from dataclasses import replace
from math import fsum
from typing import TYPE_CHECKING, Final

import pytest
from listings import PLANS, listing_named

from aretusa.target.description import Kernels
from aretusa.target.load import load_target
from aretusa.target.save import target_text
from aretusa_sim.results import ModelSummary
from aretusa_sim.summarise import Tokens, summarise
from aretusa_sim.timing import Simulator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aretusa.target.description import Target
    from aretusa.trace.listing import Listing
    from aretusa_sim.energy_results import EnergyRange
    from aretusa_sim.results import OpResult, SimulationResult
    from aretusa_sim.timing import StepTiming

LISTINGS: Final = sorted(PLANS)
MODEL: Final = ModelSummary(
    name="tiny", target="siracusa", weights="w8", context=32, chunk=4, has_contention=True
)
ENDS: Final = ("nominal_uj", "low_uj", "high_uj")


def _timings(listed: Listing) -> tuple[list[StepTiming], list[StepTiming]]:
    simulator, chunk = Simulator(listed), listed.graph.chunk_max
    prefill = [simulator.step(chunk, 0, has_head=True)]
    return prefill, [simulator.step(1, chunk + more, has_head=True) for more in range(2)]


def _result(listed: Listing) -> SimulationResult:
    prefill, decode = _timings(listed)
    return summarise(listed, MODEL, prefill, decode, Tokens())


def _ends(energy: EnergyRange) -> list[float]:
    return [getattr(energy, end) for end in ENDS]


def _total(energies: Sequence[EnergyRange]) -> list[float]:
    return [fsum(getattr(energy, end) for energy in energies) for end in ENDS]


@pytest.mark.parametrize("name", LISTINGS)
def test_energy_of_a_run_is_that_of_its_parts(name: str) -> None:
    result = _result(listing_named(name))
    assert _ends(result.energy) == pytest.approx(_total([step.energy for step in result.steps]))
    assert _ends(result.energy) == pytest.approx(_total([one.energy for one in result.phases]))
    for phase in result.phases:
        steps = [step.energy for step in result.steps if step.phase == phase.phase]
        assert _ends(phase.energy) == pytest.approx(_total(steps))
        assert _ends(phase.energy) == pytest.approx(_total([op.energy for op in phase.ops]))
        each = phase.energy_per_token.nominal_uj
        assert each * phase.tokens == pytest.approx(phase.energy.nominal_uj)
        assert phase.mean_power.high_mw * phase.seconds * 1e3 == pytest.approx(phase.energy.high_uj)
        for whole in (phase.energy, *(op.energy for op in phase.ops)):
            assert _ends(whole) == pytest.approx(_total(list(whole.components.values())))
            assert 0 < whole.low_uj < whole.nominal_uj < whole.high_uj


@pytest.mark.parametrize("name", LISTINGS)
def test_every_part_is_what_the_document_counts_times_its_constant(name: str) -> None:
    result = _result(listing_named(name))
    for phase in result.phases:
        for op in phase.ops:
            expected: dict[str, float] = {}
            for constant in result.energy_constants:
                picojoules = _count(op, constant.key, result.clock_hz) * constant.value
                expected.setdefault(constant.component, 0.0)
                expected[constant.component] += picojoules / 1e6
            found = {key: part.nominal_uj for key, part in op.energy.components.items()}
            assert found == pytest.approx({key: uj for key, uj in expected.items() if uj})


def _count(op: OpResult, key: str, clock_hz: int) -> float:
    """What a constant is multiplied by, from the table of ops alone."""
    _, section, name = key.split(".")
    if section.startswith("mac_"):
        mode, bits = section.removeprefix("mac_"), int(name[1])
        return sum(one.count for one in op.macs if (one.mode, one.bits) == (mode, bits))
    counts: dict[str, float] = {
        "busy_cycle_pj": op.engine_cycles,
        "awake_cycle_pj": op.working_cycles + op.giving_cycles + op.barrier_cycles,
        "instruction_pj": op.instructions,
        "mac_pj": sum(one.count for one in op.macs if one.unit == "cluster"),
        "read_byte_pj": op.read_bytes.get(section, 0),
        "write_byte_pj": op.written_bytes.get(section, 0),
        "weight_port_byte_pj": op.weight_port_bytes,
        "dma_byte_pj": op.dma_in_bytes + op.dma_out_bytes,
        "off_chip_byte_pj": op.off_chip_bytes,
        "cycle_pj": op.cycles,
        "leakage_uw": 1e6 * op.cycles / clock_hz,
    }
    return counts[name]


def _doubled(target: Target, key: str, path: Path) -> Target:
    """The target with one constant and its range twice as large."""
    facts = tuple(
        replace(fact, value=2 * fact.value, low=2 * fact.low, high=2 * fact.high)
        if fact.key == key and fact.low is not None and fact.high is not None
        else fact
        for fact in target.facts
    )
    path.write_text(target_text(replace(target, facts=facts)), "utf-8")
    return load_target(str(path))


@pytest.mark.parametrize("name", ["chosen", "paged split", "cluster"])
def test_energy_grows_with_each_constant_and_with_nothing_else(name: str, tmp_path: Path) -> None:
    listed = listing_named(name)
    prefill, decode = _timings(listed)
    usual = summarise(listed, MODEL, prefill, decode, Tokens())
    for constant in usual.energy_constants:
        target = _doubled(listed.target, constant.key, tmp_path / "twice.toml")
        dearer = summarise(replace(listed, target=target), MODEL, prefill, decode, Tokens())
        for before, after in zip(usual.phases, dearer.phases, strict=True):
            own, changed = before.energy.components, after.energy.components
            assert own.keys() == changed.keys()
            for key in own:
                more = [a - b for a, b in zip(_ends(changed[key]), _ends(own[key]), strict=True)]
                counted = sum(_count(op, constant.key, usual.clock_hz) for op in before.ops)
                added = counted * constant.value / 1e6 if key == constant.component else 0.0
                assert more[0] == pytest.approx(added, abs=1e-9 * own[key].high_uj)
                assert all(end >= 0 for end in more)


def test_a_slower_clock_takes_longer_and_leaks_more() -> None:
    listed = listing_named("chosen")
    target = listed.target
    slow = replace(target, clock=replace(target.clock, cluster_hz=target.clock.cluster_hz // 2))
    usual, slower = _result(listed), _result(replace(listed, target=slow))
    leaks = [one.energy.components["leakage"].nominal_uj for one in (usual, slower)]
    assert leaks[1] == pytest.approx(2 * leaks[0])
    assert slower.mean_power.nominal_mw < usual.mean_power.nominal_mw
    assert slower.energy.components["cluster"] == usual.energy.components["cluster"]


@pytest.mark.parametrize(("kernels", "note"), [("portable", "without Xpulp"), ("xpulp", "with X")])
def test_notes_say_whose_instructions_were_counted(kernels: str, note: str) -> None:
    listed = listing_named("chosen")
    target = replace(listed.target, kernels=Kernels(kernels))
    assert note in _result(replace(listed, target=target)).notes[0]


def test_constants_of_the_document_are_those_of_the_target_with_their_sources() -> None:
    listed = listing_named("chosen")
    facts = [fact for fact in listed.target.facts if fact.key.startswith("energy.")]
    told = _result(listed).energy_constants
    assert {one.key for one in told} == {fact.key for fact in facts}
    by_key = {fact.key: fact for fact in facts}
    for one in told:
        fact = by_key[one.key]
        assert (one.value, one.low, one.high) == (fact.value, fact.low, fact.high)
        assert (one.source, one.confidence) == (fact.source, fact.confidence.value)
