"""Side: a result of any kind as amounts by phase and op, which comparisons are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never, get_args

from aretusa.plan_results import PlanReport
from aretusa.target.description import MemoryId
from aretusa_sim.compare_results import SideResult
from aretusa_sim.energy_results import ComponentKey
from aretusa_sim.results import SimulationResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aretusa.plan_results import LayerResult
    from aretusa_sim.compare_results import Phase
    from aretusa_sim.results import OpResult, PhaseResult

Amounts = dict[str, float]
# What the cycles of an op consist of, in words.
PARTS: Final = {
    "working_cycles": "cores work",
    "giving_cycles": "core 0 gives work",
    "barrier_cycles": "barriers",
    "engine_stall_cycles": "waits for N-EUREKA",
    "dma_stall_cycles": "waits for MCHAN",
    "off_chip_stall_cycles": "waits for the off-chip link",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SideOp:
    """One op of one phase. `amounts` are of all tokens of the phase."""

    phase: Phase
    layer: int | None
    name: str
    op: str
    engine: str
    home: str
    bits: str
    tiles: str
    amounts: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SidePhase:
    """All ops of a phase; `amounts` are their sums, but for the cycles of a plan."""

    tokens: int
    ops: tuple[SideOp, ...]
    amounts: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A result; `peaks` are bytes alive at once, `fractions` those of limits, by phase."""

    summary: SideResult
    phases: dict[Phase, SidePhase]
    peaks: Amounts
    fractions: Amounts


def side(result: SimulationResult | PlanReport, source: str = "") -> Side:
    """The side that a document is."""
    match result:
        case SimulationResult():
            return _simulated(result, source)
        case PlanReport():
            return _planned(result, source)
        case _:
            assert_never(result)


def _simulated(result: SimulationResult, source: str) -> Side:
    model = result.model
    summary = SideResult(
        source=source,
        kind="simulate",
        tool=result.tool,
        model=model.name,
        target=model.target,
        weights=model.weights,
        context=model.context,
        chunk=model.chunk,
        clock_hz=result.clock_hz,
        has_contention=model.has_contention,
        tokens={phase.phase: phase.tokens for phase in result.phases},
    )
    phases = {phase.phase: _simulated_phase(phase) for phase in result.phases if phase.steps}
    alive = {one.memory: max(one.alive_bytes, default=0) for one in result.occupancy}
    return Side(
        summary=summary, phases=phases, peaks=_peaks(alive), fractions=dict(_fractions(result))
    )


def _fractions(result: SimulationResult) -> Iterator[tuple[str, float]]:
    for phase in result.limits.phases:
        for name, limit in (("limit", phase.total), ("linear_limit", phase.linear)):
            if limit.fraction is not None:
                yield f"{phase.phase}.{name}_fraction", limit.fraction


def _simulated_phase(phase: PhaseResult) -> SidePhase:
    ops = tuple(_simulated_op(phase.phase, op) for op in phase.ops)
    return SidePhase(tokens=phase.tokens, ops=ops, amounts=sums(op.amounts for op in ops))


def _simulated_op(phase: Phase, op: OpResult) -> SideOp:
    stalls = op.stalls
    waits = (stalls.engine_cycles, stalls.dma_cycles, stalls.off_chip_cycles)
    parts = (op.working_cycles, op.giving_cycles, op.barrier_cycles, *waits)
    amounts: Amounts = {
        "cycles": op.cycles,
        **dict(zip(PARTS, parts, strict=True)),
        "stall_cycles": sum(waits),
        "macs": sum(one.count for one in op.macs),
        "instructions": op.instructions,
        "jobs": op.jobs,
        "transfers": op.transfers,
        "weight_port_bytes": op.weight_port_bytes,
        "dma_bytes": op.dma_in_bytes + op.dma_out_bytes,
        "off_chip_bytes": op.off_chip_bytes,
    }
    for memory in MemoryId:
        reads, writes = op.read_bytes.get(memory.key, 0), op.written_bytes.get(memory.key, 0)
        amounts[f"{memory.key}_bytes"] = reads + writes
    amounts["uJ"] = op.energy.nominal_uj
    for component in get_args(ComponentKey):
        found = op.energy.components.get(component)
        name = f"{component.replace('-', '_')}_uJ"
        amounts[name] = 0.0 if found is None else found.nominal_uj
    return SideOp(
        phase=phase,
        layer=op.layer,
        name=op.name,
        op=op.op,
        engine=op.engine,
        home="" if op.memory is None else op.memory.upper(),
        bits=str(op.bits or ""),
        tiles=str(op.tile_rows or ""),
        amounts=amounts,
    )


def _planned(report: PlanReport, source: str) -> Side:
    """A plan that fits. Bytes and counts are known of its decode alone."""
    totals, options = report.totals, report.options
    assert totals is not None, "a plan that does not fit has no sides"
    decode, prompt = options.decode_tokens, options.prefill_tokens
    summary = SideResult(
        source=source,
        kind="plan",
        tool=report.tool,
        model=report.model.name,
        target=report.target,
        weights=options.weights,
        context=options.context,
        chunk=options.chunk,
        clock_hz=totals.clock_hz,
        has_contention=None,
        tokens={"prefill": prompt, "decode": decode},
    )
    prefills = tuple(
        _planned_op("prefill", row, {"cycles": row.prefill_cycles}) for row in report.layers
    )
    decodes = tuple(
        _planned_op("decode", row, _times(decode, _decode_amounts(row))) for row in report.layers
    )
    return Side(
        summary=summary,
        phases={
            "prefill": SidePhase(
                tokens=prompt, ops=prefills, amounts={"cycles": totals.prefill_cycles}
            ),
            "decode": SidePhase(
                tokens=decode,
                ops=decodes,
                amounts=sums(op.amounts for op in decodes)
                | {"cycles": decode * totals.decode_cycles_per_token},
            ),
        },
        peaks=_peaks({tier.memory: tier.peak_bytes for tier in report.tiers}),
        fractions={},
    )


def _decode_amounts(row: LayerResult) -> Amounts:
    return {
        "cycles": row.decode_cycles,
        "macs": row.macs,
        "weight_port_bytes": row.weight_port_bytes,
        "dma_bytes": row.dma_bytes,
        "off_chip_bytes": row.off_chip_bytes,
    }


def _planned_op(phase: Phase, row: LayerResult, amounts: Amounts) -> SideOp:
    return SideOp(
        phase=phase,
        layer=row.layer,
        name=row.name,
        op=row.op,
        engine=row.engine,
        home="" if row.memory is None else row.memory.upper(),
        bits=str(row.bits or ""),
        tiles=str(row.tile_rows or ""),
        amounts=amounts,
    )


def sums(amounts: Iterable[Amounts]) -> Amounts:
    """Each amount of all; what one lacks counts nothing."""
    total: Amounts = {}
    for one in amounts:
        for name, value in one.items():
            total[name] = total.get(name, 0) + value
    return total


def _times(count: int, amounts: Amounts) -> Amounts:
    return {name: count * value for name, value in amounts.items()}


def _peaks(alive: dict[str, int]) -> Amounts:
    return {f"{memory}_peak_bytes": size for memory, size in alive.items()}
