"""cost_of(): what a program takes for a prompt and for one token of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.memory.contents import RegionKind
from aretusa_sim.activity import Activity
from aretusa_sim.advice_results import Cost
from aretusa_sim.energy import EnergyModel
from aretusa_sim.energy_results import EnergyRange
from aretusa_sim.program_rows import op_infos
from aretusa_sim.schedule import prefill_steps
from aretusa_sim.timing import Simulator
from aretusa_sim.units import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.plan.goal import Goal
    from aretusa.trace.listing import Listing
    from aretusa_sim.energy_results import EnergyResult
    from aretusa_sim.timing import StepTiming


def cost_of(listed: Listing, goal: Goal, *, has_contention: bool) -> Cost:
    """A few steps stand for the run: the prompt, and the second of two equal decoded tokens."""
    simulator = Simulator(listed, has_contention=has_contention)
    prefill = [
        simulator.step(step.tokens, step.position, has_head=step.has_head)
        for step in prefill_steps(goal.prefill_tokens, listed.graph.chunk_max)
    ]
    position = token_position(listed, goal)
    decode = [simulator.step(1, position, has_head=True) for _ in range(2)][-1]
    moved = Activity()
    for row in decode.rows:
        moved.add(row.activity)
    return Cost(
        prefill_cycles=sum(step.cycles for step in prefill),
        prefill_energy=_range(_energy(listed, prefill)),
        decode_cycles=decode.cycles,
        decode_energy=_range(_energy(listed, [decode])),
        weight_port_bytes=moved.moved_bytes.get(Unit.ENGINE, 0),
        dma_bytes=sum(moved.moved_bytes.get(unit, 0) for unit in (Unit.DMA_IN, Unit.DMA_OUT)),
        off_chip_bytes=moved.moved_bytes.get(Unit.LINK, 0),
        stored_bytes=sum(
            region.size_bytes
            for region in listed.regions
            if region.kind in {RegionKind.WEIGHT, RegionKind.CACHE}
        ),
    )


def token_position(listed: Listing, goal: Goal) -> int:
    """Of the token that stands for all of the answer."""
    return min(goal.decode_position, listed.graph.context - 1)


def request_cycles(cost: Cost, goal: Goal) -> int:
    """Of the prompt and as many tokens as are asked for."""
    return cost.prefill_cycles + goal.decode_tokens * cost.decode_cycles


def _energy(listed: Listing, steps: Sequence[StepTiming]) -> EnergyResult:
    model, infos = EnergyModel(listed.target), op_infos(listed)
    counts = model.nothing()
    for step in steps:
        for row, info in zip(step.rows, infos, strict=True):
            counts += model.counts(row, info.mode)
    return model.energy(counts)


def _range(energy: EnergyResult) -> EnergyRange:
    return EnergyRange(nominal_uj=energy.nominal_uj, low_uj=energy.low_uj, high_uj=energy.high_uj)
