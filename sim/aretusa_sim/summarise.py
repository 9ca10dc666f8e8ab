"""Timings of steps -> SimulationResult."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from aretusa.target.description import Kernels, MemoryId
from aretusa_sim.energy import EnergyModel, mean_power, per_token
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

    from numpy.typing import NDArray

    from aretusa.target.energy import ConvolutionMode
    from aretusa.trace.listing import Listing
    from aretusa_sim.energy_results import EnergyResult
    from aretusa_sim.program_rows import OpInfo
    from aretusa_sim.results import ModelSummary
    from aretusa_sim.timing import StepTiming

PhaseName = Literal["prefill", "decode"]
KERNELS: Final = {
    Kernels.PORTABLE: "the portable kernels, without Xpulp",
    Kernels.XPULP: "the chip's own kernels, with Xpulp",
}
NOTES: Final = (
    "N-EUREKA: phases of the virtual platform's model",
    "pages land in the SRAM beside jobs that read it; MCHAN and N-EUREKA do not slow the cores",
    "code around kernels, jobs and transfers: as the virtual platform takes, fitted on one network",
    "energy: most constants are assumed or fitted on three published totals; look at its range",
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
    energies = EnergyModel(listing.target)
    runs = [_run(name, steps, infos, energies) for name, steps in phases.items()]
    results = [_phase(run, infos, energies) for run in runs]
    energy = energies.energy(sum((run.counts.sum(axis=0) for run in runs), energies.nothing()))
    seconds = cycles / clock.cluster_hz
    return SimulationResult(
        model=model,
        clock_hz=clock.cluster_hz,
        peripheral_hz=clock.peripheral_hz,
        is_estimate=tokens.is_estimate,
        prompt_tokens=list(tokens.prompt),
        new_tokens=list(tokens.new),
        text=tokens.text,
        cycles=cycles,
        seconds=seconds,
        energy=energy,
        mean_power=mean_power(energy, seconds),
        steps=[_step(run.phase, step, energy) for run in runs for step, energy in run.steps],
        phases=results,
        limits=run_limits(listing.target, results),
        epochs=epoch_labels(listing),
        occupancy=occupancy(listing),
        energy_constants=energies.constants,
        notes=[f"cores: counted instructions of {KERNELS[listing.target.kernels]}", *NOTES],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The steps of a phase with their energies; rows and `counts` [rows, constants] of them all."""

    phase: PhaseName
    steps: list[tuple[StepTiming, EnergyResult]]
    rows: list[RowTiming]
    counts: NDArray[np.float64]


def _run(
    name: PhaseName, steps: Sequence[StepTiming], infos: Sequence[OpInfo], model: EnergyModel
) -> _Run:
    rows = [RowTiming() for _ in infos]
    found = []
    for step in steps:
        found.append((step, model.energy(_step_counts(step, infos, model))))
        for row, one in zip(rows, step.rows, strict=True):
            row.add(one)
    counts = [model.counts(row, info.mode) for row, info in zip(rows, infos, strict=True)]
    return _Run(phase=name, steps=found, rows=rows, counts=np.stack(counts))


def _step_counts(
    step: StepTiming, infos: Sequence[OpInfo], model: EnergyModel
) -> NDArray[np.float64]:
    """Counts are linear: rows of one mode of N-EUREKA are added up before they are counted."""
    totals: dict[ConvolutionMode | None, RowTiming] = {}
    for row, info in zip(step.rows, infos, strict=True):
        totals.setdefault(info.mode, RowTiming()).add(row)
    return sum((model.counts(row, mode) for mode, row in totals.items()), model.nothing())


def _step(name: PhaseName, step: StepTiming, energy: EnergyResult) -> StepResult:
    return StepResult(
        phase=name,
        tokens=step.tokens,
        position=step.position,
        start_cycle=step.start,
        cycles=step.cycles,
        energy=energy,
    )


def _phase(run: _Run, infos: Sequence[OpInfo], model: EnergyModel) -> PhaseResult:
    steps = [step for step, _ in run.steps]
    cycles = sum(step.cycles for step in steps)
    tokens, seconds = sum(step.tokens for step in steps), cycles / model.target.clock.cluster_hz
    energy = model.energy(run.counts.sum(axis=0))
    return PhaseResult(
        phase=run.phase,
        steps=len(steps),
        tokens=tokens,
        cycles=cycles,
        seconds=seconds,
        tokens_per_second=tokens / seconds if seconds else 0.0,
        instructions=sum(row.activity.instructions for row in run.rows),
        energy=energy,
        energy_per_token=per_token(energy, tokens),
        mean_power=mean_power(energy, seconds),
        units=[_unit(unit, steps, run.rows, cycles) for unit in Unit],
        ops=[
            _op(info, row, model.energy(counts))
            for info, row, counts in zip(infos, run.rows, run.counts, strict=True)
        ],
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


def _op(info: OpInfo, row: RowTiming, energy: EnergyResult) -> OpResult:
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
        macs=[_macs(info, *one) for one in sorted(activity.macs.items())],
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
        energy=energy,
    )


def _macs(info: OpInfo, key: tuple[Unit, int], count: int) -> MacCount:
    unit, bits = key
    mode = info.mode if unit is Unit.ENGINE else None
    return MacCount(unit=unit.key, mode=mode, bits=bits, count=count)


def _stalls(row: RowTiming) -> StallResult:
    return StallResult(
        engine_cycles=row.stalls[Cause.ENGINE],
        dma_cycles=row.stalls[Cause.DMA],
        off_chip_cycles=row.stalls[Cause.LINK],
    )


def _by_memory(counts: Mapping[MemoryId, int]) -> dict[str, int]:
    return {memory.key: counts[memory] for memory in MemoryId if counts.get(memory)}
