"""A lowered graph as an ONNX model of standard ops: interpreter.py again, node by node.

Inputs are tokens [tokens], position [], rows [rows] and every cache (codes [heads, context, dim],
scales [heads, context]); results are logits [rows, vocabulary] and every cache after the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx_ir as ir

from aretusa.ir import ops
from aretusa.ir.types import DType
from aretusa.reference import onnx_arithmetic as arithmetic
from aretusa.reference.onnx_arithmetic import QuantisedNodes
from aretusa.reference.onnx_linear import declare_matrix, embed, group_codes, linear
from aretusa.reference.onnx_nodes import IntegerMatmul, OnnxNodes
from aretusa.reference.onnx_step import append, begin_step, cached_attention

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op
    from aretusa.ir.types import Cache, Value
    from aretusa.reference.interpreter import Weights
    from aretusa.reference.onnx_linear import MatrixNodes

    QuantisingOp = ops.RmsNormQuantise | ops.SiluMulQuantise | ops.HeadsQuantise | ops.Quantise

# Opset 20 (2023) has every op that is needed, runs in ONNX Runtime 1.17 and later and is the set
# with which the contract was tried; newer ones add types that nothing here uses.
OPSET: Final = 20
IR_VERSION: Final = 9  # the file format that belongs to opset 20
NOTE: Final = "Run it with graph optimisations off: fused nodes round differently."
TOKENS: Final = "tokens"
POSITION: Final = "position"
ROWS: Final = "rows"


def export_onnx(
    graph: Graph, weights: Weights, integer_matmul: IntegerMatmul = IntegerMatmul.INT8
) -> ir.Model:
    """The model with all its constants in memory, one byte per weight code."""
    exporter = _Exporter(graph, weights, integer_matmul)
    for op in graph.ops:
        exporter.run(op)
    return ir.Model(
        exporter.finish(), ir_version=IR_VERSION, producer_name="aretusa", doc_string=NOTE
    )


def save_onnx(graph: Graph, weights: Weights, path: Path) -> None:
    """Write PATH and, beside it, PATH.data with the constants.

    onnx_runtime.open_session opens it so that every bit is the interpreter's.
    """
    save_model(export_onnx(graph, weights), path)


def save_model(model: ir.Model, path: Path) -> None:
    """Write an exported model; the constants apart, because a protobuf ends at 2 GiB."""
    ir.save(model, path, external_data=f"{path.name}.data")


def code_input(cache: Cache) -> str:
    """Name of the codes of a cache before the step."""
    return f"{cache.name}.codes"


def scale_input(cache: Cache) -> str:
    """Name of the scales of a cache before the step."""
    return f"{cache.name}.scales"


def after(name: str) -> str:
    """Name of the result that takes an input's place in the next step."""
    return f"{name}.after"


@dataclass(frozen=True, slots=True)
class _Heads:
    """How a row is cut into heads, and whether these are normalised and rotated."""

    count: int
    dim: int
    norm_weight: str | None
    norm_eps: float
    rope: bool


class _Exporter:
    """The nodes of a step so far and what each value of the graph has become."""

    def __init__(self, graph: Graph, weights: Weights, integer_matmul: IntegerMatmul) -> None:
        self.source = graph
        self.weights = weights
        self.nodes = OnnxNodes(integer_matmul)
        self.real: dict[str, ir.Value] = {}
        self.quantised: dict[str, QuantisedNodes] = {}
        self.grouped: dict[tuple[str, int], QuantisedNodes] = {}
        self.matrices: dict[str, MatrixNodes] = {}
        self.tokens = _typed(ir.Value(name=TOKENS), ir.DataType.INT64, "tokens")
        self.position = _typed(ir.Value(name=POSITION), ir.DataType.INT64)
        self.rows = _typed(ir.Value(name=ROWS), ir.DataType.INT64, "rows")
        self.before = {cache.name: self.cache_inputs(cache) for cache in graph.caches}
        self.caches = dict(self.before)
        self.step = begin_step(
            self.nodes, self.tokens, self.position, weights.rope(), graph.context
        )

    def cache_inputs(self, cache: Cache) -> QuantisedNodes:
        return self.typed_cache(
            cache,
            QuantisedNodes(ir.Value(name=code_input(cache)), ir.Value(name=scale_input(cache))),
        )

    def typed_cache(self, cache: Cache, nodes: QuantisedNodes) -> QuantisedNodes:
        context = self.source.context
        return QuantisedNodes(
            _typed(nodes.codes, ir.DataType.INT8, cache.heads, context, cache.dim),
            _typed(nodes.scales, ir.DataType.FLOAT, cache.heads, context),
        )

    def finish(self) -> ir.Graph:
        """The ONNX graph of all nodes."""
        logits = self.real[self.source.logits.name]
        results = [_typed(logits, ir.DataType.FLOAT, "rows", self.source.logits.type.depth)]
        for cache in self.source.caches:
            written = self.typed_cache(cache, self.caches[cache.name])
            written.codes.name = after(code_input(cache))
            written.scales.name = after(scale_input(cache))
            results += [written.codes, written.scales]
        caches = [v for cache in self.before.values() for v in (cache.codes, cache.scales)]
        return ir.Graph(
            [self.tokens, self.position, self.rows, *caches],
            results,
            nodes=self.nodes.nodes,
            initializers=self.nodes.constants,
            opset_imports={"": OPSET},
            name="aretusa",
        )

    def run(self, op: Op) -> None:
        """Write the nodes of one op."""
        match op:
            case ops.CacheAppend():
                self.nodes.scope = f"{op.cache}.append"
                self.append(op)
            case (
                ops.RmsNormQuantise() | ops.SiluMulQuantise() | ops.HeadsQuantise() | ops.Quantise()
            ):
                name = self.nodes.scope = op.out.name
                rows = arithmetic.quantise(self.nodes, self.rows_to_quantise(op))
                rows.codes.name, rows.scales.name = name, f"{name}.scales"
                self.quantised[name] = rows
            case _:
                name = self.nodes.scope = op.out.name
                self.real[name] = self.real_result(op)
                self.real[name].name = name

    def rows_to_quantise(self, op: QuantisingOp) -> ir.Value:
        """The real rows inside an op that quantises them."""
        match op:
            case ops.RmsNormQuantise():
                return self.norm(op)
            case ops.SiluMulQuantise():
                gate, up = self.real[op.gate.name], self.real[op.up.name]
                return arithmetic.silu_mul(self.nodes, gate, up)
            case ops.HeadsQuantise():
                _, count, dim = op.out.type.dims(1)
                return self.heads(op.src, _Heads(count, dim, op.norm_weight, op.norm_eps, op.rope))
            case ops.Quantise():
                return self.real[op.src.name]

    def real_result(self, op: Op) -> ir.Value:
        """The result of an op that does not quantise."""
        match op:
            case ops.Embed():
                return embed(self.nodes, self.matrix(op.table), self.tokens)
            case ops.Linear() if op.src.type.dtype is DType.Q8:
                return self.linear(op)
            case ops.SelectRow():
                return self.nodes.add("Gather", self.real[op.src.name], self.rows, axis=0)
            case ops.CachedAttention():
                return self.attention(op)
            case _:
                raise AssertionError(f"{type(op).__name__} in layer {op.layer} is not lowered")

    def vector(self, name: str) -> ir.Value:
        """A vector of real numbers as a constant."""
        return self.nodes.constant(name, self.weights.vector(name).astype(np.float32))

    def matrix(self, name: str) -> MatrixNodes:
        """A quantised matrix as constants, which a tied embedding and the head share."""
        if name not in self.matrices:
            self.matrices[name] = declare_matrix(self.nodes, name, self.weights.matrix(name))
        return self.matrices[name]

    def linear(self, op: ops.Linear) -> ir.Value:
        matrix = self.matrix(op.weight)
        out = linear(self.nodes, matrix, self.activations(op.src, matrix))
        if op.bias is not None:
            out = self.nodes.add("Add", out, self.vector(op.bias))
        if op.residual is not None:
            out = self.nodes.add("Add", self.real[op.residual.name], out)
        return out

    def activations(self, src: Value, matrix: MatrixNodes) -> QuantisedNodes:
        """The codes cut as the matrix is; q, k and v share the cut ones, as do gate and up."""
        rows = self.quantised[src.name]
        if not matrix.has_groups:
            return rows
        key = (src.name, matrix.group)
        if key not in self.grouped:
            codes = group_codes(self.nodes, rows.codes, matrix)
            self.grouped[key] = QuantisedNodes(codes, rows.scales)
        return self.grouped[key]

    def norm(self, op: ops.RmsNormQuantise) -> ir.Value:
        return arithmetic.rms_norm(
            self.nodes,
            self.real[op.src.name],
            self.vector(op.weight),
            depth=op.src.type.depth,
            eps=op.eps,
        )

    def heads(self, src: Value, heads: _Heads) -> ir.Value:
        """Head rows [tokens, heads, dim] after norm and rope, before they are quantised."""
        nodes = self.nodes
        rows = nodes.reshape(self.real[src.name], 0, heads.count, heads.dim)
        if heads.norm_weight is not None:
            weight = self.vector(heads.norm_weight)
            rows = arithmetic.rms_norm(nodes, rows, weight, depth=heads.dim, eps=heads.norm_eps)
        if heads.rope:
            rows = arithmetic.rope(nodes, rows, self.step.cosine, self.step.sine)
        return rows

    def append(self, op: ops.CacheAppend) -> None:
        cache = self.source.cache(op.cache)
        heads = _Heads(cache.heads, cache.dim, op.norm_weight, op.norm_eps, op.rope)
        rows = self.heads(op.src, heads)
        codes = (
            arithmetic.quantise_from_zero(self.nodes, rows)
            if cache.has_zeros
            else arithmetic.quantise(self.nodes, rows, cache.bits)
        )
        self.caches[op.cache] = append(self.nodes, self.caches[op.cache], codes, self.step)

    def attention(self, op: ops.CachedAttention) -> ir.Value:
        _, heads, dim = op.query.type.dims(1)
        kv_heads = self.source.cache(op.key_cache).heads
        return cached_attention(
            self.nodes,
            self.quantised[op.query.name],
            self.caches[op.key_cache],
            self.caches[op.value_cache],
            self.step,
            heads=(kv_heads, heads // kv_heads, dim),
        )


def _typed(value: ir.Value, kind: ir.DataType, *shape: int | str) -> ir.Value:
    """The value with its type written into it, as inputs and results need."""
    value.type, value.shape = ir.TensorType(kind), ir.Shape(shape)
    return value
