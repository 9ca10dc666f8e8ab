"""Plan -> PlanReport: the memory tiling report and a row for each operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.contents import RegionKind
from aretusa.memory.lifetimes import step_labels
from aretusa.memory.plan import image_header_bytes
from aretusa.plan.rank_notes import rank_notes
from aretusa.plan.rows import layer_rows
from aretusa.plan_results import (
    PlacementResult,
    PlanModel,
    PlanOptions,
    PlanReport,
    RegionResult,
    TierResult,
    TotalsResult,
)
from aretusa.quantization.cache_bits import graph_cache_bits
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.memory.plan import Region
    from aretusa.plan.make import Plan
    from aretusa.plan_results import LayerResult
    from aretusa.target.description import Memory, Target

SCRATCH: Final = "scratch"
HEADER: Final = "image header"
ESTIMATE: Final = (
    "cycles are estimates: engine phases of the virtual platform's model, counted "
    "instructions of the kernels, code around them as measured there, links at their "
    "published rates"
)


def summarise(
    plan: Plan, model: PlanModel, *, weights: str, notes: Sequence[str] = ()
) -> PlanReport:
    """The document of a plan."""
    steps = step_labels(plan.bodies)
    regions = _regions(plan, len(steps))
    layers = layer_rows(plan)
    return PlanReport(
        model=model,
        target=plan.request.target.name,
        options=PlanOptions(
            weights=weights,
            context=plan.graph.context,
            chunk=plan.working.chunk,
            kv_bits=str(graph_cache_bits(plan.graph)),
            prefill_tokens=plan.request.goal.prefill_tokens,
            decode_tokens=plan.request.goal.decode_tokens,
        ),
        fits=True,
        tiers=[_tier(memory, regions, steps, plan) for memory in plan.request.target.memories],
        steps=steps,
        regions=regions,
        layers=layers,
        placement=_placement(plan),
        totals=_totals(plan, layers),
        ways_out=[],
        shortage=None,
        notes=[*notes, *_notes(plan), *rank_notes(layers)],
    )


def _regions(plan: Plan, steps: int) -> list[RegionResult]:
    found: list[RegionResult] = []
    for memory in plan.request.target.memories:
        here = plan.memory.within(memory.id)
        if any(region.kind.is_constant for region in here):
            found.append(_header(memory, steps))
        found.extend(_region(region, steps) for region in here)
    return found


def _header(memory: Memory, steps: int) -> RegionResult:
    return RegionResult(
        name=f"{memory.id.key}.bin",
        kind=HEADER,
        memory=memory.id.key,
        offset_bytes=0,
        size_bytes=image_header_bytes(memory.capacity_bytes),
        first_step=0,
        last_step=steps - 1,
    )


def _region(region: Region, steps: int) -> RegionResult:
    is_buffer = region.kind in {RegionKind.BUFFER, RegionKind.RING} and region.last >= 0
    is_scratch = region.kind is RegionKind.BUFFER and SCRATCH in region.name
    return RegionResult(
        name=region.name,
        kind=SCRATCH if is_scratch else region.kind.value,
        memory=region.memory.key,
        offset_bytes=region.offset_bytes,
        size_bytes=region.size_bytes,
        first_step=region.first if is_buffer else 0,
        last_step=region.last if is_buffer else steps - 1,
    )


def _tier(
    memory: Memory, regions: Sequence[RegionResult], steps: Sequence[str], plan: Plan
) -> TierResult:
    here = [region for region in regions if region.memory == memory.id.key]
    alive = [
        sum(r.size_bytes for r in here if r.first_step <= step <= r.last_step)
        for step in range(len(steps))
    ]
    peak = max(alive, default=0)
    kinds: dict[str, int] = {}
    for region in here:
        kinds[region.kind] = kinds.get(region.kind, 0) + region.size_bytes
    return TierResult(
        memory=memory.id.key,
        size_bytes=memory.size_bytes,
        reserved_bytes=memory.reserved_bytes,
        reserved_for=_reserve(memory, plan.request.target),
        capacity_bytes=memory.capacity_bytes,
        used_bytes=plan.memory.used_bytes(memory.id),
        peak_bytes=peak,
        peak_at=steps[alive.index(peak)] if peak else "",
        bytes_by_kind=kinds,
    )


def _reserve(memory: Memory, target: Target) -> str:
    """What the target file says about the reserve."""
    key = f"memory.{memory.id.key}.reserved_bytes"
    source = next((fact.source for fact in target.facts if fact.key == key), "")
    return source if memory.reserved_bytes else ""


def _placement(plan: Plan) -> PlacementResult:
    answer = plan.answer
    objective = plan.load.cycles
    extra = objective - answer.objective_cycles  # of buffers outside L1, the same for any homes
    bound = min(objective, answer.bound_cycles + extra)
    first = objective if answer.first_fit_cycles is None else answer.first_fit_cycles + extra
    return PlacementResult(
        objective_cycles=objective,
        bound_cycles=bound,
        gap=(objective - bound) / objective if objective else 0.0,
        status="optimal" if answer.status == "optimal" else "feasible",
        first_fit_cycles=first,
    )


def _totals(plan: Plan, layers: Sequence[LayerResult]) -> TotalsResult:
    goal, clock = plan.request.goal, plan.request.target.clock.cluster_hz
    load = plan.load
    decode = max(load.decode_work, load.decode_link) // max(1, goal.decode_tokens)
    prefill = max(load.prefill_work, load.prefill_link)
    images = {
        memory.id.key: max(region.end_bytes for region in found)
        for memory in plan.request.target.memories
        if (found := plan.memory.constants(memory.id))
    }
    return TotalsResult(
        decode_cycles_per_token=decode,
        decode_tokens_per_second=clock / max(1, decode),
        prefill_cycles=prefill,
        prefill_tokens_per_second=goal.prefill_tokens * clock / max(1, prefill),
        clock_hz=clock,
        off_chip_bytes_per_token=sum(row.off_chip_bytes for row in layers),
        macs_per_token=sum(row.macs for row in layers),
        image_bytes=images,
    )


def _notes(plan: Plan) -> list[str]:
    """What a reader should know about this plan."""
    notes = [ESTIMATE]
    tokenizer = plan.memory.find("tokenizer")
    if tokenizer is not None and tokenizer.memory is MemoryId.L3:
        notes.append("the tokenizer lies off chip, where cores read it in emulation only")
    types = plan.bodies[0].types
    matrices = {op.weight: types[op.weight] for op in plan.graph.ops if isinstance(op, ops.Linear)}
    grouped = {name for name, m in matrices.items() if isinstance(m, DenseType) and m.group}
    alone = [name for name in grouped if not plan.options[name].engine_rows]
    if grouped:
        notes.append(
            f"{len(grouped)} matrices have groups along the depth: "
            f"{len(alone)} of them stay on the cluster"
        )
    sparse = [m for m in matrices.values() if isinstance(m, DenseType) and m.pattern]
    if sparse:
        left_out = sum(m.is_packed for m in sparse)
        notes.append(
            f"{len(sparse)} matrices have zero columns that could be left out: "
            f"{left_out} of them are stored so, on the cluster; N-EUREKA reads all columns"
        )
    shared = len(plan.rolled.order) - len(
        {layer for kind in plan.rolled.kinds for layer in kind.stored}
    )
    if shared:
        notes.append(f"{shared} layers use the weights of another one, which are stored once")
    return notes
