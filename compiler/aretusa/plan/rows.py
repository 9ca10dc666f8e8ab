"""One row of the report for each operation of each layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.lifetimes import op_label
from aretusa.neureka.linear import Engine
from aretusa.plan.around_ops import around_cycles
from aretusa.plan.linear_cost import linear_cost
from aretusa.plan.op_cost import op_cycles
from aretusa.plan_results import LayerResult
from aretusa.schedule.roll import weight_role
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.ir.ops import Op
    from aretusa.memory.linear_plan import LinearPlan
    from aretusa.plan.linear_cost import LinearCost
    from aretusa.plan.make import Plan

Bound = Literal["engine", "cluster", "dma", "off-chip"]


def layer_rows(plan: Plan) -> list[LayerResult]:
    """All operations in the order of their work."""
    cuts = dict(_linear_plans(plan))
    is_head = False
    rows: list[LayerResult] = []
    has_engine = any(isinstance(op, ops.Linear) and op.engine for op in plan.graph.ops)
    around = around_cycles(plan.graph, plan.setting, has_engine=has_engine)
    for op, more in zip(plan.graph.ops, around, strict=False):
        if isinstance(op, ops.SelectRow):
            is_head = True
        elif isinstance(op, ops.Linear):
            rows.append(_linear_row(plan, op, cuts[op.weight], more))
        else:
            rows.append(_other_row(plan, op, more, is_head=is_head))
    return rows


def _linear_plans(plan: Plan) -> Iterator[tuple[str, LinearPlan]]:
    """How each matrix is cut: its own parts of what its kind shares."""
    for body in plan.bodies:
        for op in body.ops:
            if isinstance(op, ops.Linear):
                shared = body.linear(op)
                for index, name in enumerate(body.weights(op.weight)):
                    yield (
                        name,
                        replace(
                            shared,
                            pieces=shared.pieces[index : index + 1],
                            rests=shared.rests[index : index + 1],
                        ),
                    )


def _homes(plan: Plan, weight: str, cut: LinearPlan) -> tuple[MemoryId | None, MemoryId | None]:
    """Memories of the rows on N-EUREKA and of those on the cluster."""
    homes = [home for _, home in plan.options[weight].homes]
    return homes[0] if cut.pieces else None, homes[-1] if cut.rests else None


def _linear_row(plan: Plan, op: ops.Linear, cut: LinearPlan, around: int) -> LayerResult:
    matrix = plan.bodies[0].types[op.weight]
    assert isinstance(matrix, DenseType), f"{op.weight} is not a matrix"
    option = plan.options[op.weight]
    engine_home, rest_home = _homes(plan, op.weight, cut)
    target = plan.request.target

    def cost(tokens: int) -> LinearCost:
        return linear_cost(cut, tokens, target, engine_home=engine_home, rest_home=rest_home)

    prefill_steps, _ = plan.setting.steps(is_head=op.layer is None)
    prefill = [(count, cost(tokens)) for tokens, count in prefill_steps.items()]
    one = cost(1)
    pages, tiles = _pieces(cut, engine_home)
    home = engine_home if engine_home is not None else rest_home
    engine = option.engine or Engine.CLUSTER
    return LayerResult(
        layer=op.layer,
        name=_role(op.weight, op.layer),
        op="linear",
        engine=engine.value,
        reason=option.reason,
        bits=matrix.bits,
        group=matrix.group,
        sparsity=_sparsity(matrix),
        rows=matrix.rows,
        depth=matrix.depth,
        weight_bytes=sum(size for _, size in option.usage),
        memory=None if home is None else home.key,
        paged=option.is_paged,
        tile_rows=cut.tile_rows if cut.rests else (cut.slice_rows if pages else 0),
        tiles=tiles + pages,
        slots=_slots(plan, cut, has_pages=pages > 0),
        buffers=_buffers(plan, op),
        macs=matrix.rows * matrix.depth,
        weight_port_bytes=one.weight_port_bytes,
        dma_bytes=one.dma_bytes,
        off_chip_bytes=one.off_chip_bytes,
        decode_cycles=max(one.cycles + around, one.link_cycles),
        prefill_cycles=sum(count * max(c.cycles + around, c.link_cycles) for count, c in prefill),
        bound=_bound(one),
        prefill_bound=_bound(prefill[0][1]),
    )


def _sparsity(matrix: DenseType) -> str:
    if matrix.pattern is None or not matrix.is_packed:
        return ""
    return f"{matrix.pattern[0]}:{matrix.pattern[1]}"


def _bound(cost: LinearCost) -> Bound:
    found: Bound = cost.bound  # type: ignore[assignment]
    return found


def _pieces(cut: LinearPlan, engine_home: MemoryId | None) -> tuple[int, int]:
    """Pages and tiles of one pass over the weights."""
    pages = tiles = 0
    if engine_home is MemoryId.L3 and cut.slice_rows:
        pages = -(-cut.pieces[0].rows // cut.slice_rows)
    if cut.rests and cut.tile_rows:
        tiles = -(-cut.rests[0].rows // cut.tile_rows)
    return pages, tiles


def _slots(plan: Plan, cut: LinearPlan, *, has_pages: bool) -> int:
    if cut.rests:
        return plan.working.tiles.slots
    return plan.working.pages.slots if has_pages else 0


def _role(weight: str, layer: int | None) -> str:
    name = weight if layer is None else weight_role(weight)
    return name.removesuffix(".weight")


def _buffers(plan: Plan, op: Op) -> str:
    """Memories of what the op reads and writes."""
    regions = plan.memory.by_name()
    out = ops.result(op)
    parts = []
    for label, value in (("src", next(iter(ops.inputs(op)), None)), ("out", out)):
        if value is None:
            continue
        bare = value.name.partition(".")[2] if op.layer is not None else value.name
        region = regions.get(bare) or regions.get(value.name) or regions.get("hidden")
        if region is not None:
            parts.append(f"{label} {region.memory.name}")
    return ", ".join(parts)


def _other_row(plan: Plan, op: Op, around: int, *, is_head: bool) -> LayerResult:
    goal, setting = plan.request.goal, plan.setting
    decode = around + op_cycles(op, plan.graph, 1, goal.decode_position, setting)
    prefill = decode
    if not is_head:
        middle = goal.prefill_tokens // 2
        prefill = sum(
            count * (around + op_cycles(op, plan.graph, tokens, middle, setting))
            for tokens, count in goal.chunks(plan.working.chunk).items()
        )
    out = ops.result(op)
    dma, link = _moved(plan, op)
    return LayerResult(
        layer=op.layer,
        name=op_label(op),
        op=_op_name(op),
        engine=Engine.CLUSTER.value,
        reason="",
        bits=0,
        group=0,
        rows=0 if out is None else out.type.depth,
        depth=0,
        weight_bytes=0,
        memory=None,
        paged=False,
        tile_rows=plan.working.tile_positions if isinstance(op, ops.CachedAttention) else 0,
        tiles=0,
        slots=0,
        buffers=_buffers(plan, op),
        macs=_attention_macs(plan, op),
        weight_port_bytes=0,
        dma_bytes=dma,
        off_chip_bytes=link,
        decode_cycles=decode,
        prefill_cycles=prefill,
        bound="cluster",
    )


def _op_name(op: Op) -> str:
    names = {
        ops.CachedAttention: "attention",
        ops.RmsNormQuantise: "rmsnorm",
        ops.SiluMulQuantise: "silu",
        ops.HeadsQuantise: "rotate",
        ops.CacheAppend: "append",
        ops.Embed: "embed",
        ops.Quantise: "quantise",
    }
    return names.get(type(op), type(op).__name__.lower())


def _attention_macs(plan: Plan, op: Op) -> int:
    if not isinstance(op, ops.CachedAttention):
        return 0
    _, heads, dim = op.query.type.dims(1)
    return 2 * heads * dim * (plan.request.goal.decode_position + 1)


def _moved(plan: Plan, op: Op) -> tuple[int, int]:
    """Bytes of the caches that a decode step moves: by DMA, and over the off-chip link."""
    if not isinstance(op, ops.CachedAttention | ops.CacheAppend):
        return 0, 0
    is_read = isinstance(op, ops.CachedAttention)
    positions = plan.request.goal.decode_position + 1 if is_read else 1
    names = ops.read_caches(op) or ops.written_caches(op)
    dma = link = 0
    for name in names:
        cache = plan.graph.cache(name)
        size = cache.heads * cache.position_bytes * positions
        if plan.memory.region(name).memory is MemoryId.L3:
            link += size
        else:
            dma += size
    return dma, link
