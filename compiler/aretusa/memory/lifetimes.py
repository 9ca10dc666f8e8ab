"""Buffers of the rolled program and the epochs in which they are alive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, assert_never

from aretusa.ir import ops
from aretusa.ir.ops import inputs, result
from aretusa.ir.types import value_size_bytes
from aretusa.memory.placement import Buffer
from aretusa.memory.scratch import attention_scratch_bytes, quantise_scratch_bytes
from aretusa.neureka.linear import sums_bytes
from aretusa.schedule.epochs import epochs
from aretusa.schedule.roll import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op
    from aretusa.ir.types import Value
    from aretusa.schedule.roll import RolledGraph

EXTERNAL: Final = frozenset({"tokens"})  # handed in by the token loop


def scratch_name(index: int) -> str:
    """Name of the scratch buffer of op number `index` of its body."""
    return f"scratch{index}"


def scratch_bytes(op: Op, graph: Graph) -> int:
    """Scratch that the op's kernel shares among the cores."""
    chunk = graph.chunk_max
    match op:
        case ops.RmsNormQuantise() | ops.Quantise():
            return quantise_scratch_bytes(tokens=op.src.type.rows(chunk), depth=op.src.type.depth)
        case ops.SiluMulQuantise():
            return quantise_scratch_bytes(tokens=op.gate.type.rows(chunk), depth=op.gate.type.depth)
        case ops.CachedAttention():
            heads = op.query.type.dims(chunk)[1]
            kv_heads = graph.role_cache(op.key_cache).heads
            return attention_scratch_bytes(
                tokens=chunk, heads=heads, kv_heads=kv_heads, context=graph.context
            )
        case ops.Linear(engine_rows=rows) if rows is not None:
            return sums_bytes(rows, chunk)
        case (
            ops.Embed()
            | ops.Linear()
            | ops.RmsNorm()
            | ops.SplitHeads()
            | ops.MergeHeads()
            | ops.Rope()
            | ops.Attention()
            | ops.SiluMul()
            | ops.Add()
            | ops.SelectRow()
            | ops.HeadsQuantise()
            | ops.CacheAppend()
        ):
            return 0
        case _:
            assert_never(op)


def buffers(graph: Graph, rolled: RolledGraph) -> list[Buffer]:
    """Every buffer with its largest size and the hull of its lives; layers share one time span."""
    longest = max((len(epochs(kind.ops)) for kind in rolled.kinds), default=0)
    bodies: list[tuple[int, Sequence[Op]]] = [(0, rolled.prologue)]
    bodies += [(1, kind.ops) for kind in rolled.kinds]
    bodies.append((1 + longest, rolled.epilogue))
    end = longest + len(epochs(rolled.epilogue))
    found: dict[str, Buffer] = {}
    for start, body in bodies:
        for use in _uses(graph, body, start):
            _widen(found, replace(use, first=0, last=end) if use.name == HIDDEN else use)
    return list(found.values())


def _widen(found: dict[str, Buffer], use: Buffer) -> None:
    known = found.get(use.name, use)
    found[use.name] = Buffer(
        use.name,
        max(known.size_bytes, use.size_bytes),
        min(known.first, use.first),
        max(known.last, use.last),
        known.needs_l1 or use.needs_l1,
    )


def _uses(graph: Graph, body: Sequence[Op], start: int) -> Iterator[Buffer]:
    """Every touch as a buffer of one epoch."""
    index = 0
    for step, epoch in enumerate(epochs(body), start):
        for op in epoch:
            out = result(op)
            for value in (*inputs(op), *(() if out is None else (out,))):
                if value.name not in EXTERNAL:
                    size_bytes = value_size_bytes(value.type, graph.chunk_max)
                    yield Buffer(value.name, size_bytes, step, step, _is_engine_input(op, value))
            scratch = scratch_bytes(op, graph)
            if scratch:
                bound = isinstance(op, ops.Linear)
                yield Buffer(scratch_name(index), scratch, step, step, bound)
            index += 1


def _is_engine_input(op: Op, value: Value) -> bool:
    return isinstance(op, ops.Linear) and op.engine is not None and value == op.src
