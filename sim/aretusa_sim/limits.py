"""Rooflines: what each resource needs for the work of an op, and how near the op comes to it."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from aretusa.neureka.layout import CHANNELS_3X3, TAPS, WORD_BYTES
from aretusa.neureka.registers import TILE_COLS, TILE_ROWS
from aretusa_sim.limit_results import LimitRates, LimitResult, LimitsResult, OpLimit, PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.target.description import Target
    from aretusa_sim.limit_results import LimitKey
    from aretusa_sim.results import OpResult, PhaseResult

# The field of an op that says how long the unit behind a resource is busy with it.
BUSY: Final[dict[LimitKey, str]] = {
    "weight-port": "engine_cycles",
    "engine-macs": "engine_cycles",
    "cluster-macs": "working_cycles",
    "dma-in": "dma_in_cycles",
    "dma-out": "dma_out_cycles",
    "off-chip": "off_chip_cycles",
}


def run_limits(target: Target, phases: Sequence[PhaseResult]) -> LimitsResult:
    """Of all phases of a run; `target` with the clock that the run had."""
    rates = limit_rates(target)
    return LimitsResult(rates=rates, phases=[_phase(phase, rates) for phase in phases])


def limit_rates(target: Target) -> LimitRates:
    """The chip at its best: every word full, no set-up, no wait."""
    clock, contention = target.clock, target.contention
    return LimitRates(
        weight_port_bytes=WORD_BYTES / target.neureka.weight_word_cycles,
        engine_bit_macs=TILE_ROWS * TILE_COLS * TAPS * CHANNELS_3X3,
        cluster_macs=target.cluster.cores * target.cluster.int8_macs_per_core_cycle,
        dma_bytes=target.dma.bytes_per_cycle,
        l1_bytes=contention.l1_banks * contention.word_bytes,
        l2_bytes=contention.l2_banks * contention.word_bytes,
        off_chip_bytes=target.off_chip.bytes_per_cycle * clock.peripheral_hz / clock.cluster_hz,
    )


def op_needs(op: OpResult, rates: LimitRates) -> dict[LimitKey, float]:
    """Cycles of each resource for one op; what is not used has none."""
    engine = sum(one.count * one.bits for one in op.macs if one.unit == "n-eureka")
    cluster = sum(one.count for one in op.macs if one.unit == "cluster")
    needs: dict[LimitKey, float] = {
        "weight-port": op.weight_port_bytes / rates.weight_port_bytes,
        "engine-macs": engine / rates.engine_bit_macs,
        "cluster-macs": cluster / rates.cluster_macs,
        "dma-in": op.dma_in_bytes / rates.dma_bytes,
        "dma-out": op.dma_out_bytes / rates.dma_bytes,
        "l1": _traffic(op, "l1") / rates.l1_bytes,
        "l2": _traffic(op, "l2") / rates.l2_bytes,
        "off-chip": op.off_chip_bytes / rates.off_chip_bytes,
    }
    return {resource: cycles for resource, cycles in needs.items() if cycles}


def limit_of(ops: Sequence[OpResult], rates: LimitRates) -> LimitResult:
    """Several ops that could run side by side: each resource works for all of them."""
    totals: dict[LimitKey, float] = {}
    for op in ops:
        for resource, need in op_needs(op, rates).items():
            totals[resource] = totals.get(resource, 0.0) + need
    cycles = sum(op.cycles for op in ops)
    bound = max(totals, key=lambda resource: totals[resource], default=None)
    limit = 0 if bound is None else ceil(totals[bound])
    field = None if bound is None else BUSY.get(bound)
    return LimitResult(
        cycles=cycles,
        needs={resource: ceil(need) for resource, need in totals.items()},
        bound=bound,
        limit_cycles=limit,
        fraction=limit / cycles if cycles else None,
        busy_cycles=None if field is None else sum(getattr(op, field) for op in ops),
    )


def _traffic(op: OpResult, memory: str) -> int:
    return op.read_bytes.get(memory, 0) + op.written_bytes.get(memory, 0)


def _phase(phase: PhaseResult, rates: LimitRates) -> PhaseLimits:
    return PhaseLimits(
        phase=phase.phase,
        total=limit_of(phase.ops, rates),
        linear=limit_of([op for op in phase.ops if op.op == "linear"], rates),
        ops=[
            OpLimit(layer=op.layer, name=op.name, **dict(limit_of([op], rates))) for op in phase.ops
        ],
    )
