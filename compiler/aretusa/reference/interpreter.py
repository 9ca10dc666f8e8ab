"""Run a graph in NumPy: the float graph of the frontend as well as the lowered integer graph.

On a lowered graph every result is the arithmetic contract's, bit for bit. On the frontend's graph
linear layers use the real weights, which is the float32 reference of the original checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, assert_never

import numpy as np

from aretusa.ir import ops
from aretusa.ir.types import DType, Value
from aretusa.reference import arithmetic
from aretusa.reference.linear import linear

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from aretusa.frontend.rope_tables import RopeTables
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op
    from aretusa.quantization.schemes import QuantisedMatrix

    F32 = NDArray[np.float32]
    I8 = NDArray[np.int8]
    Observer = Callable[[Op, "F32 | QuantisedRows"], None]

# OpenBLAS uses one thread up to here, and waking others for so little costs more than it gains.
BLAS_ALONE_MACS: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class QuantisedRows:
    """int8 codes with one scale per row."""

    codes: I8
    scales: F32

    def dequantise(self) -> F32:
        """The real values that the codes stand for."""
        return self.codes.astype(np.float32) * self.scales[..., None]


class Weights(Protocol):
    """Where the interpreter gets constants from."""

    def vector(self, name: str) -> F32:
        """A vector of real numbers."""
        ...

    def real_matrix(self, name: str) -> F32:
        """A matrix [rows, depth] of real numbers."""
        ...

    def matrix(self, name: str) -> QuantisedMatrix:
        """A quantised matrix."""
        ...

    def rope(self) -> RopeTables:
        """Rotary tables for at least the graph's context."""
        ...


@dataclass(slots=True)
class _CacheState:
    """One cache: int8 codes and scales in a lowered graph, real values before lowering.

    Zero points are taken from the codes.
    """

    codes: I8
    scales: F32
    real: F32


class Interpreter:
    """Holds the caches of one sequence; `forward` may be called with any chunking."""

    def __init__(self, graph: Graph, weights: Weights, observe: Observer | None = None) -> None:
        self.graph = graph
        self.weights = weights
        self.observe = observe
        self.rope = weights.rope()
        self.caches = {
            cache.name: _CacheState(
                np.zeros((cache.heads, graph.context, cache.dim), np.int8),
                np.zeros((cache.heads, graph.context), np.float32),
                np.zeros((cache.heads, 0, cache.dim), np.float32),
            )
            for cache in graph.caches
        }

    def forward(self, tokens: Sequence[int], position: int, rows: Sequence[int]) -> F32:
        """Run tokens at position, position + 1, ...; logits [rows, vocabulary] of those rows."""
        assert position + len(tokens) <= self.graph.context, "past the end of the KV cache"
        step = _Step(self, np.asarray(tokens, np.int64), position, list(rows))
        for op in self.graph.ops:
            step.run(op)
        return step.real(self.graph.logits)


class _Step:
    """The values of one call of forward."""

    def __init__(
        self, machine: Interpreter, tokens: NDArray[np.int64], position: int, rows: list[int]
    ) -> None:
        self.machine = machine
        self.weights = machine.weights
        self.tokens = tokens
        self.position = position
        self.rows = rows
        self.values: dict[str, F32 | QuantisedRows] = {}

    def real(self, value: Value) -> F32:
        found = self.values[value.name]
        assert not isinstance(found, QuantisedRows), f"{value} is quantised"
        return found

    def quantised(self, value: Value) -> QuantisedRows:
        found = self.values[value.name]
        assert isinstance(found, QuantisedRows), f"{value} is not quantised"
        return found

    def run(self, op: Op) -> None:
        match op:
            case ops.CacheAppend():
                self.append(op)
                return
            case ops.Embed():
                out: F32 | QuantisedRows = self.embed(op)
            case ops.Linear():
                out = self.linear(op)
            case ops.Attention():
                out = self.attention(op)
            case ops.CachedAttention():
                out = self.cached_attention(op)
            case ops.HeadsQuantise():
                out = _quantise(self.heads(op))
            case _:
                out = self.elementwise(op)
        self.values[op.out.name] = out
        if self.machine.observe is not None:
            self.machine.observe(op, out)

    def elementwise(
        self,
        op: ops.RmsNorm
        | ops.RmsNormQuantise
        | ops.SplitHeads
        | ops.MergeHeads
        | ops.Rope
        | ops.SiluMul
        | ops.SiluMulQuantise
        | ops.Add
        | ops.SelectRow
        | ops.Quantise,
    ) -> F32 | QuantisedRows:
        match op:
            case ops.RmsNorm():
                return self.norm(op.src, op.weight, op.eps)
            case ops.RmsNormQuantise():
                return _quantise(self.norm(op.src, op.weight, op.eps))
            case ops.SplitHeads() | ops.MergeHeads():
                return self.real(op.src).reshape(op.out.type.dims(len(self.tokens)))
            case ops.Rope():
                return self.rotate(self.real(op.src))
            case ops.SiluMul():
                return arithmetic.silu_mul(self.real(op.gate), self.real(op.up))
            case ops.SiluMulQuantise():
                return _quantise(arithmetic.silu_mul(self.real(op.gate), self.real(op.up)))
            case ops.Add():
                return self.real(op.lhs) + self.real(op.rhs)
            case ops.SelectRow():
                return self.real(op.src)[self.rows]
            case ops.Quantise():
                return _quantise(self.real(op.src))
            case _:
                assert_never(op)

    def embed(self, op: ops.Embed) -> F32:
        if self.is_real(op.table):
            return self.weights.real_matrix(op.table)[self.tokens]
        table = self.weights.matrix(op.table)
        return table.select_rows(self.tokens).dequantise()

    def is_real(self, matrix: str) -> bool:
        return getattr(self.machine.graph.weight_types()[matrix], "bits", 0) == 32

    def linear(self, op: ops.Linear) -> F32:
        bias = None if op.bias is None else self.weights.vector(op.bias)
        residual = None if op.residual is None else self.real(op.residual)
        if op.src.type.dtype is DType.Q8:
            src = self.quantised(op.src)
            matrix = self.weights.matrix(op.weight)
            return linear(matrix, src.codes, src.scales, bias, residual)
        out = self.real(op.src) @ self.weights.real_matrix(op.weight).T
        out = out if bias is None else out + bias
        return out if residual is None else residual + out

    def norm(self, src: Value, weight: str, eps: float) -> F32:
        return arithmetic.rms_norm(self.real(src), self.weights.vector(weight), np.float32(eps))

    def rotate(self, heads: F32) -> F32:
        rope = self.machine.rope
        rows = slice(self.position, self.position + heads.shape[0])
        return arithmetic.rope(heads, rope.cosine[rows, None, :], rope.sine[rows, None, :])

    def heads(self, op: ops.HeadsQuantise | ops.CacheAppend) -> F32:
        """Head rows [tokens, heads, dim] after norm and rope, before they are quantised."""
        if isinstance(op, ops.HeadsQuantise):
            heads = int(op.out.type.shape[1])
        else:
            heads = self.machine.graph.cache(op.cache).heads
        src = self.real(op.src)
        rows: F32 = src.reshape(src.shape[0], heads, -1)
        if op.norm_weight is not None:
            weight = self.weights.vector(op.norm_weight)
            rows = arithmetic.rms_norm(rows, weight, np.float32(op.norm_eps))
        return self.rotate(rows) if op.rope else rows

    def append(self, op: ops.CacheAppend) -> None:
        kind = self.machine.graph.cache(op.cache)
        if kind.has_zeros:
            rows = QuantisedRows(*arithmetic.quantise_from_zero(self.heads(op)))
        else:
            rows = _quantise(self.heads(op), kind.bits)
        cache = self.machine.caches[op.cache]
        positions = slice(self.position, self.position + len(self.tokens))
        cache.codes[:, positions] = rows.codes.transpose(1, 0, 2)
        cache.scales[:, positions] = rows.scales.T

    def visible(self) -> NDArray[np.bool_]:
        """[tokens, 1, positions]: which positions each token sees."""
        end = self.position + len(self.tokens)
        own = np.arange(self.position, end)
        mask: NDArray[np.bool_] = (np.arange(end)[None, :] <= own[:, None])[:, None, :]
        return mask

    def cached_attention(self, op: ops.CachedAttention) -> F32:
        query = self.quantised(op.query)
        tokens, heads, dim = query.codes.shape
        keys, values = self.machine.caches[op.key_cache], self.machine.caches[op.value_cache]
        factor = query.scales * np.float32(1 / np.sqrt(dim))
        visible = self.visible()[:, 0]
        step = max(BLAS_ALONE_MACS // (visible.shape[1] * dim), 1)
        out = np.empty((tokens, heads, dim), np.float32)
        for head in range(heads):
            kv = head * keys.codes.shape[0] // heads
            key_codes = keys.codes[kv].astype(np.float32)
            for first in range(0, tokens, step):
                rows = slice(first, first + step)
                # No token of these rows sees more; leaving zeros off changes no sum.
                seen = slice(0, self.position + min(first + step, tokens))
                # At most 127 * 127 * dim < 2**24 for dim <= 1040: exact in binary32.
                sums = query.codes[rows, head].astype(np.float32) @ key_codes[seen].T
                scores = (sums * factor[rows, head, None]) * keys.scales[kv, seen]
                out[rows, head] = arithmetic.attend(
                    scores, visible[rows, seen], values.codes[kv, seen], values.scales[kv, seen]
                )
        return out.reshape(tokens, heads * dim)

    def attention(self, op: ops.Attention) -> F32:
        query = self.real(op.query)
        for name, value in ((op.key_cache, op.key), (op.value_cache, op.value)):
            cache = self.machine.caches[name]
            cache.real = np.concatenate(
                [cache.real[:, : self.position], self.real(value).transpose(1, 0, 2)], axis=1
            )
        repeat = query.shape[1] // self.machine.caches[op.key_cache].real.shape[0]
        keys = np.repeat(self.machine.caches[op.key_cache].real, repeat, axis=0)
        values = np.repeat(self.machine.caches[op.value_cache].real, repeat, axis=0)
        scores = np.matmul(query.transpose(1, 0, 2), keys.mT) / np.float32(np.sqrt(query.shape[2]))
        scores = np.where(self.visible().transpose(1, 0, 2), scores, np.float32(-np.inf))
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        out: F32 = np.matmul(weights, values).transpose(1, 0, 2)
        return out


def _quantise(rows: F32, bits: int = 8) -> QuantisedRows:
    return QuantisedRows(*arithmetic.quantise(rows, bits))
