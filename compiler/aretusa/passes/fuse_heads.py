"""SplitHeads, RmsNorm, Rope and Quantise of one head row -> one kernel; views disappear."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.graph import substitute
from aretusa.ir.types import TensorType, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op


@dataclass(frozen=True, slots=True)
class _Chain:
    """What was done to the rows of `src` on the way to a quantising op."""

    src: Value
    norm_weight: str | None
    norm_eps: float
    rope: bool


def fuse_heads(graph: Graph) -> Graph:
    """Quantise of heads becomes HeadsQuantise, CacheAppend takes over norm and rope."""
    makers = {op.out.name: op for op in graph.ops if not isinstance(op, ops.CacheAppend)}
    merged: dict[str, Value] = {}
    rewritten: list[Op] = []
    for op in graph.ops:
        match op:
            case ops.Quantise() if len(op.src.type.shape) == 3:
                rewritten.append(_heads_quantise(op, _chain(op.src, makers)))
            case ops.CacheAppend():
                chain = _chain(op.src, makers)
                rewritten.append(
                    replace(
                        op,
                        src=chain.src,
                        norm_weight=chain.norm_weight,
                        norm_eps=chain.norm_eps,
                        rope=chain.rope,
                    )
                )
            case ops.CachedAttention():
                flat = _flat(op.out)
                merged[op.out.name] = flat
                rewritten.append(replace(op, out=flat))
            case ops.MergeHeads(src=src, out=out) if src.name in merged:
                merged[out.name] = merged[src.name]
            case _:
                rewritten.append(substitute(op, merged))
    return graph.with_ops(rewritten)


def _chain(value: Value, makers: Mapping[str, Op]) -> _Chain:
    """Follow value back through Rope, RmsNorm and SplitHeads."""
    rope, norm_weight, norm_eps = False, None, 0.0
    maker = makers.get(value.name)
    if isinstance(maker, ops.Rope):
        rope, value = True, maker.src
        maker = makers.get(value.name)
    if isinstance(maker, ops.RmsNorm):
        norm_weight, norm_eps, value = maker.weight, maker.eps, maker.src
        maker = makers.get(value.name)
    assert isinstance(maker, ops.SplitHeads), f"{value} does not come from SplitHeads"
    return _Chain(maker.src, norm_weight, norm_eps, rope)


def _heads_quantise(op: ops.Quantise, chain: _Chain) -> ops.HeadsQuantise:
    return ops.HeadsQuantise(
        layer=op.layer,
        src=chain.src,
        norm_weight=chain.norm_weight,
        norm_eps=chain.norm_eps,
        rope=chain.rope,
        out=op.out,
    )


def _flat(value: Value) -> Value:
    tokens, heads, dim = value.type.shape
    assert isinstance(heads, int), f"{value} has no constant number of heads"
    assert isinstance(dim, int), f"{value} has no constant head size"
    return Value(
        value.name.removesuffix(".heads"), TensorType((tokens, heads * dim), value.type.dtype)
    )
