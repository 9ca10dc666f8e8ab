"""One frozen dataclass per op. Its docstring is its mathematics, docs/arithmetic.md the rounding.

Fields of type Value other than `out` are inputs; fields that end in `weight`, `bias` or `table`
name weights; fields that end in `cache` name caches. `layer` is the transformer block or None.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, get_args

from aretusa.ir.types import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """out[t] = table[tokens[t]]."""

    layer: int | None
    tokens: Value
    table: str
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class RmsNorm:
    """out = src / sqrt(mean(src**2) + eps) * weight, along the last axis."""

    layer: int | None
    src: Value
    weight: str
    eps: float
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """out[t, r] = residual[t, r] + sum over k of weight[r, k] * src[t, k] + bias[r].

    The first `engine_rows` rows run on `engine` (a name of mapping.Engine), the others on the
    cluster; None before engines are chosen and where the cluster runs all.
    """

    layer: int | None
    src: Value
    weight: str
    bias: str | None
    residual: Value | None
    engine: str | None = None
    engine_rows: int | None = None
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitHeads:
    """out[t, h, d] = src[t, h * dim + d]: a view."""

    layer: int | None
    src: Value
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeHeads:
    """out[t, h * dim + d] = src[t, h, d]: a view."""

    layer: int | None
    src: Value
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Rope:
    """Rotate the halves of each head's row by the angles of its position."""

    layer: int | None
    src: Value
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Append to the caches; out = softmax(query keys^T / sqrt(dim)) values, causal."""

    layer: int | None
    query: Value
    key: Value
    value: Value
    key_cache: str
    value_cache: str
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class SiluMul:
    """out = gate / (1 + exp(-gate)) * up."""

    layer: int | None
    gate: Value
    up: Value
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """out = lhs + rhs."""

    layer: int | None
    lhs: Value
    rhs: Value
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectRow:
    """out[0] = src[row]; the row is chosen at run time, the last one when text is generated."""

    layer: int | None
    src: Value
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantise:
    """out = int8 codes of src with one scale per row: max|row| / 127."""

    layer: int | None
    src: Value
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class RmsNormQuantise:
    """out = Quantise(RmsNorm(src, weight, eps))."""

    layer: int | None
    src: Value
    weight: str
    eps: float
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class SiluMulQuantise:
    """out = Quantise(SiluMul(gate, up))."""

    layer: int | None
    gate: Value
    up: Value
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsQuantise:
    """out = Quantise of each head's row of src, after norm and rope if asked."""

    layer: int | None
    src: Value
    norm_weight: str | None
    norm_eps: float
    rope: bool
    out: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheAppend:
    """cache[position + t] = Quantise of each head's row of src, after RmsNorm and Rope if asked."""

    layer: int | None
    src: Value
    norm_weight: str | None
    norm_eps: float
    rope: bool
    cache: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAttention:
    """out = softmax(query keys^T / sqrt(dim)) values over the caches, causal; heads merged."""

    layer: int | None
    query: Value
    key_cache: str
    value_cache: str
    out: Value


Op = (
    Embed
    | RmsNorm
    | Linear
    | SplitHeads
    | MergeHeads
    | Rope
    | Attention
    | SiluMul
    | Add
    | SelectRow
    | Quantise
    | RmsNormQuantise
    | SiluMulQuantise
    | HeadsQuantise
    | CacheAppend
    | CachedAttention
)


# Looked up once: a large graph is asked many times.
_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in get_args(Op)
}
_WEIGHT_FIELDS: Final = {
    kind: tuple(name for name in names if name.endswith(("weight", "bias", "table")))
    for kind, names in _FIELDS.items()
}


def result(op: Op) -> Value | None:
    """The value that an op defines, None for one that only writes a cache."""
    return None if isinstance(op, CacheAppend) else op.out


def inputs(op: Op) -> tuple[Value, ...]:
    """The values that an op reads, in the order of its fields."""
    values = [getattr(op, name) for name in _FIELDS[type(op)] if name != "out"]
    return tuple(value for value in values if isinstance(value, Value))


def weights(op: Op) -> tuple[str, ...]:
    """The weights that an op reads."""
    names = [getattr(op, name) for name in _WEIGHT_FIELDS[type(op)]]
    return tuple(name for name in names if name is not None)


def written_caches(op: Op) -> tuple[str, ...]:
    """The caches that an op writes."""
    match op:
        case CacheAppend(cache=cache):
            return (cache,)
        case Attention(key_cache=keys, value_cache=values):
            return (keys, values)
        case _:
            return ()


def read_caches(op: Op) -> tuple[str, ...]:
    """The caches that an op reads."""
    match op:
        case CachedAttention(key_cache=keys, value_cache=values):
            return (keys, values)
        case Attention(key_cache=keys, value_cache=values):
            return (keys, values)
        case _:
            return ()
