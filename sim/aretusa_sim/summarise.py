"""Timings of steps -> SimulationResult."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from aretusa.target.description import MemoryId
from aretusa_sim.limits import run_limits
from aretusa_sim.program_rows import epoch_labels, occupancy, op_infos
from aretusa_sim.results import (
    MacCount,
    OpResult,
    PhaseResult,
    SimulationResult,
    StallResult,
    StepResult,
    UnitResult,
)
from aretusa_sim.timing import RowTiming
from aretusa_sim.units import Cause, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aretusa.trace.listing import Listing
    from aretusa_sim.program_rows import OpInfo
    from aretusa_sim.results import ModelSummary
    from aretusa_sim.timing import StepTiming

PhaseName = Literal["prefill", "decode"]
NOTES: Final = (
    "cores: counted instructions of the portable kernels, without Xpulp",
    "N-EUREKA: phases of the virtual platform's model",
    "pages land in the SRAM beside jobs that read it; MCHAN and N-EUREKA do not slow the cores",
    "what core 0 computes between the kernels is left out, but for giving jobs and transfers",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Ids and text of a run; empty for an estimate."""

    prompt: tuple[int, ...] = ()
    new: tuple[int, ...] = ()
    text: str = ""
    is_estimate: bool = True


def summarise(
    listing: Listing,
    model: ModelSummary,
    prefill: Sequence[StepTiming],
    decode: Sequence[StepTiming],
    tokens: Tokens,
) -> SimulationResult:
    """The document of a run of prefill steps, then decode steps."""
    infos, clock = op_infos(listing), listing.target.clock
    phases: dict[PhaseName, Sequence[StepTiming]] = {"prefill": prefill, "decode": decode}
    cycles = sum(step.cycles for steps in phases.values() for step in steps)
    results = [_phase(name, steps, infos, clock.cluster_hz) for name, steps in phases.items()]
    return SimulationResult(
        model=model,
        clock_hz=clock.cluster_hz,
        peripheral_hz=clock.peripheral_hz,
        is_estimate=tokens.is_estimate,
        prompt_tokens=list(tokens.prompt),
        new_tokens=list(tokens.new),
        text=tokens.text,
        cycles=cycles,
        seconds=cycles / clock.cluster_hz,
        steps=[_step(name, step) for name, steps in phases.items() for step in steps],
        phases=results,
        limits=run_limits(listing.target, results),
        epochs=epoch_labels(listing),
        occupancy=occupancy(listing),
        notes=list(NOTES),
    )


def _step(name: PhaseName, step: StepTiming) -> StepResult:
    return StepResult(
        phase=name,
        tokens=step.tokens,
        position=step.position,
        start_cycle=step.start,
        cycles=step.cycles,
    )


def _phase(
    name: PhaseName, steps: Sequence[StepTiming], infos: Sequence[OpInfo], clock_hz: int
) -> PhaseResult:
    rows = [RowTiming() for _ in infos]
    for step in steps:
        for row, one in zip(rows, step.rows, strict=True):
            row.add(one)
    cycles = sum(step.cycles for step in steps)
    tokens, seconds = sum(step.tokens for step in steps), cycles / clock_hz
    return PhaseResult(
        phase=name,
        steps=len(steps),
        tokens=tokens,
        cycles=cycles,
        seconds=seconds,
        tokens_per_second=tokens / seconds if seconds else 0.0,
        instructions=sum(row.activity.instructions for row in rows),
        units=[_unit(unit, steps, rows, cycles) for unit in Unit],
        ops=[_op(info, row) for info, row in zip(infos, rows, strict=True)],
    )


def _unit(
    unit: Unit, steps: Sequence[StepTiming], rows: Sequence[RowTiming], cycles: int
) -> UnitResult:
    if unit is Unit.CLUSTER:
        busy = sum(row.working + row.giving for row in rows)
    else:
        busy = sum(step.busy[unit] for step in steps)
    return UnitResult(
        unit=unit.key,
        busy_cycles=busy,
        idle_cycles=cycles - busy,
        utilisation=busy / cycles if cycles else 0.0,
        moved_bytes=sum(row.activity.moved_bytes.get(unit, 0) for row in rows),
    )


def _op(info: OpInfo, row: RowTiming) -> OpResult:
    activity = row.activity
    busy = {unit: activity.busy_cycles.get(unit, 0) for unit in Unit}
    busy[Unit.CLUSTER] = row.working + row.giving
    moved = {unit: activity.moved_bytes.get(unit, 0) for unit in Unit}
    bound = max(reversed(Unit), key=lambda unit: busy[unit])  # the cluster, if all are equal
    return OpResult(
        layer=info.layer,
        name=info.name,
        op=info.op,
        engine=info.engine,
        memory=None if info.memory is None else info.memory.key,
        bits=info.bits,
        tile_rows=info.tile_rows,
        macs=[
            MacCount(unit=unit.key, bits=bits, count=count)
            for (unit, bits), count in sorted(activity.macs.items())
        ],
        cycles=row.cycles,
        working_cycles=row.working,
        giving_cycles=row.giving,
        barrier_cycles=row.at_barriers,
        stalls=_stalls(row),
        engine_cycles=busy[Unit.ENGINE],
        dma_in_cycles=busy[Unit.DMA_IN],
        dma_out_cycles=busy[Unit.DMA_OUT],
        off_chip_cycles=busy[Unit.LINK],
        weight_port_bytes=moved[Unit.ENGINE],
        dma_in_bytes=moved[Unit.DMA_IN],
        dma_out_bytes=moved[Unit.DMA_OUT],
        off_chip_bytes=moved[Unit.LINK],
        read_bytes=_by_memory(activity.read_bytes),
        written_bytes=_by_memory(activity.written_bytes),
        instructions=activity.instructions,
        jobs=activity.jobs,
        transfers=activity.transfers,
        utilisation=busy[bound] / row.cycles if row.cycles else 0.0,
        bound=bound.key,
    )


def _stalls(row: RowTiming) -> StallResult:
    return StallResult(
        engine_cycles=row.stalls[Cause.ENGINE],
        dma_cycles=row.stalls[Cause.DMA],
        off_chip_cycles=row.stalls[Cause.LINK],
    )


def _by_memory(counts: Mapping[MemoryId, int]) -> dict[str, int]:
    return {memory.key: counts[memory] for memory in MemoryId if counts.get(memory)}
