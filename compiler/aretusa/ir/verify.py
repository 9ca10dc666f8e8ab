"""Invariants that hold between passes; a violation is a bug of the pass that ran last."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final, assert_never

from aretusa.ir import ops
from aretusa.ir.ops import Op, inputs, read_caches, result, weights, written_caches
from aretusa.ir.types import DenseType, DType, VectorType

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.ir.types import Value

_QUANTISING: Final = (
    ops.Quantise,
    ops.RmsNormQuantise,
    ops.SiluMulQuantise,
    ops.HeadsQuantise,
)


def verify(graph: Graph, *, after: str) -> None:
    """Check names, order, types and caches; `after` names the pass in the message."""
    weight_types = graph.weight_types()
    cache_names = {cache.name for cache in graph.caches}
    assert all(cache.bits in {4, 8} for cache in graph.caches), f"{after}: width of a cache"
    assert len(weight_types) == len(graph.weights), f"{after}: a weight is declared twice"
    defined: dict[str, Value] = {graph.tokens.name: graph.tokens}
    filled: set[str] = set()
    for op in graph.ops:
        where = f"{after}: {type(op).__name__} in layer {op.layer}"
        for value in inputs(op):
            assert defined.get(value.name) == value, f"{where} reads {value}, not defined so before"
        for name in weights(op):
            assert name in weight_types, f"{where} reads the undeclared weight {name}"
        filled.update(written_caches(op))
        assert filled <= cache_names, f"{where} writes an undeclared cache"
        assert filled.issuperset(read_caches(op)), f"{where} reads a cache before it is written"
        _verify_reads(op, where)
        _verify_shapes(graph, op, where)
        out = result(op)
        if out is not None:
            assert (out.type.dtype is DType.Q8) == isinstance(op, _QUANTISING), f"{where}: {out}"
            assert out.name not in defined, f"{where} defines {out} twice"
            defined[out.name] = out
    assert defined.get(graph.logits.name) == graph.logits, f"{after}: the logits are not computed"


def _verify_reads(op: Op, where: str) -> None:
    """Element types of the values that an op reads."""
    for value in inputs(op):
        match op:
            case ops.Embed():
                readable = {DType.TOKEN}
            case ops.CachedAttention():
                readable = {DType.Q8}
            case ops.Linear(src=src) if value == src:
                readable = {DType.F32, DType.Q8}
            case _:
                readable = {DType.F32}
        assert value.type.dtype in readable, f"{where} cannot read {value}"


def _verify_shapes(graph: Graph, op: Op, where: str) -> None:  # noqa: C901 - a case per op
    """Shapes of one op."""
    match op:
        case ops.Embed():
            table = graph.weight_types()[op.table]
            assert isinstance(table, DenseType), f"{where}: the table is not a matrix"
            _same(where, (*op.tokens.type.shape, table.depth), op.out.type.shape)
        case ops.Linear():
            _verify_linear(graph, op, where)
        case ops.RmsNorm() | ops.RmsNormQuantise():
            _same(where, op.src.type.shape, op.out.type.shape)
            _is_vector(graph, op.weight, op.src.type.depth, where)
        case ops.Quantise() | ops.Rope():
            _same(where, op.src.type.shape, op.out.type.shape)
        case ops.SplitHeads() | ops.MergeHeads():
            _same(where, (_elements(op.src),), (_elements(op.out),))
        case ops.HeadsQuantise():
            _same(where, (_elements(op.src),), (_elements(op.out),))
            _is_vector(graph, op.norm_weight, op.out.type.depth, where)
        case ops.SiluMul() | ops.SiluMulQuantise() | ops.Add():
            for value in inputs(op):
                _same(where, value.type.shape, op.out.type.shape)
        case ops.SelectRow():
            _same(where, (1, *op.src.type.shape[1:]), op.out.type.shape)
        case ops.CacheAppend():
            cache = graph.cache(op.cache)
            _same(where, (cache.heads * cache.dim,), (prod(op.src.type.dims(1)[1:]),))
            _is_vector(graph, op.norm_weight, cache.dim, where)
        case ops.Attention() | ops.CachedAttention():
            keys, values = graph.cache(op.key_cache), graph.cache(op.value_cache)
            assert keys.has_zeros == (keys.bits == 4), f"{where}: zero points of {keys}"
            assert not values.has_zeros, f"{where}: zero points of {values}"
            _same(where, (_elements(op.query),), (_elements(op.out),))
        case _:
            assert_never(op)


def _verify_linear(graph: Graph, op: ops.Linear, where: str) -> None:
    matrix = graph.weight_types()[op.weight]
    assert isinstance(matrix, DenseType), f"{where}: {op.weight} is not a matrix"
    _same(where, (*op.src.type.shape[:-1], matrix.rows), op.out.type.shape)
    assert op.src.type.depth == matrix.depth, f"{where}: depth {matrix.depth} for {op.src}"
    _is_vector(graph, op.bias, matrix.rows, where)
    if op.residual is not None:
        _same(where, op.residual.type.shape, op.out.type.shape)


def _is_vector(graph: Graph, name: str | None, size: int, where: str) -> None:
    """A weight, if the op has it, is a vector of that size."""
    if name is None:
        return
    found = graph.weight_types()[name]
    assert found == VectorType(size), f"{where}: {name} is {found}, expected {size} numbers"


def _elements(value: Value) -> int:
    return prod(value.type.dims(1))


def _same(where: str, expected: tuple[object, ...], found: tuple[object, ...]) -> None:
    assert expected == found, f"{where}: shape {found}, expected {expected}"
