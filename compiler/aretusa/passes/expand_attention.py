"""Attention over floats -> quantised queries, appends to int8 caches, attention over the caches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.types import DType, TensorType, Value

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op


def expand_attention(graph: Graph) -> Graph:
    """Replace each Attention; heads stay split in its result until fuse_heads."""
    expanded: list[Op] = []
    for op in graph.ops:
        if isinstance(op, ops.Attention):
            expanded.extend(_expand(op))
        else:
            expanded.append(op)
    return graph.with_ops(expanded)


def _expand(op: ops.Attention) -> list[Op]:
    codes = Value(f"{op.query.name}.codes", TensorType(op.query.type.shape, DType.Q8))
    return [
        ops.Quantise(layer=op.layer, src=op.query, out=codes),
        _append(op, op.key, op.key_cache),
        _append(op, op.value, op.value_cache),
        ops.CachedAttention(
            layer=op.layer,
            query=codes,
            key_cache=op.key_cache,
            value_cache=op.value_cache,
            out=op.out,
        ),
    ]


def _append(op: ops.Attention, src: Value, cache: str) -> ops.CacheAppend:
    return ops.CacheAppend(
        layer=op.layer, src=src, norm_weight=None, norm_eps=0.0, rope=False, cache=cache
    )
