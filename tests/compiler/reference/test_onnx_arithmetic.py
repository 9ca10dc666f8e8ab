"""Each function of the contract gives the same bits in NumPy and in ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numeric_models import different_bits

from aretusa.reference import arithmetic, onnx_arithmetic
from aretusa.reference.onnx_export import IR_VERSION, OPSET
from aretusa.reference.onnx_nodes import IntegerMatmul, OnnxNodes
from aretusa.reference.onnx_runtime import _open

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    Build = Callable[..., ir.Value]

DEPTH = 37
# Zeros of both signs, denormals, the edges of normal numbers and large ones.
EDGES = st.sampled_from([0.0, -0.0, 1e-45, -1e-40, 1.1754944e-38, -1.5e-36, 0.5, -2.5, 127.0, 3e38])
MATRICES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.just(DEPTH)),
    elements=EDGES | st.floats(-1e4, 1e4, width=32),
)


class OnnxFunction:
    """A function of OnnxNodes as a function of arrays."""

    def __init__(self, inputs: int, build: Build) -> None:
        nodes = OnnxNodes(IntegerMatmul.INT8)
        sources = [
            ir.Value(name=f"x{i}", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape("rd"))
            for i in range(inputs)
        ]
        result = build(nodes, *sources)
        result.type = ir.TensorType(ir.DataType.FLOAT)
        graph = ir.Graph(
            sources,
            [result],
            nodes=nodes.nodes,
            initializers=nodes.constants,
            opset_imports={"": OPSET},
            name="function",
        )
        self.session = _open(ir.Model(graph, ir_version=IR_VERSION))

    def __call__(self, *arrays: F32) -> F32:
        feeds = {f"x{i}": array for i, array in enumerate(arrays)}
        result: F32 = self.session.run(None, feeds)[0]
        return result


def _norm_weight() -> F32:
    return np.random.default_rng(0).standard_normal(DEPTH).astype(np.float32)


def _build_norm(nodes: OnnxNodes, x: ir.Value) -> ir.Value:
    weight = nodes.constant("weight", _norm_weight())
    return onnx_arithmetic.rms_norm(nodes, x, weight, depth=DEPTH, eps=1e-5)


def _build_dequantised(nodes: OnnxNodes, x: ir.Value) -> ir.Value:
    rows = onnx_arithmetic.quantise(nodes, x)
    return nodes.add("Concat", nodes.to_f32(rows.codes), rows.scales, axis=-1)


def _dequantised(x: F32) -> F32:
    codes, scales = arithmetic.quantise(x)
    return np.concatenate([codes.astype(np.float32), scales[:, None]], axis=-1)


EXP = OnnxFunction(1, onnx_arithmetic.exp)
NORM = OnnxFunction(1, _build_norm)
QUANTISE = OnnxFunction(1, _build_dequantised)
SILU_MUL = OnnxFunction(2, onnx_arithmetic.silu_mul)
ROPE = OnnxFunction(3, onnx_arithmetic.rope)


def test_exp_on_a_dense_grid() -> None:
    x = np.linspace(-100, 100, 1_000_003).astype(np.float32)[None]
    assert different_bits(EXP(x), arithmetic.exp(x)) == 0


@given(MATRICES)
def test_exp(x: F32) -> None:
    assert different_bits(EXP(x), arithmetic.exp(x)) == 0


@given(MATRICES)
def test_rms_norm(x: F32) -> None:
    with np.errstate(over="ignore"):
        expected = arithmetic.rms_norm(x, _norm_weight(), np.float32(1e-5))
    assert different_bits(NORM(x), expected) == 0


@given(MATRICES)
def test_quantise(x: F32) -> None:
    assert different_bits(QUANTISE(x), _dequantised(x)) == 0


@given(MATRICES)
def test_silu_mul(x: F32) -> None:
    up = np.ascontiguousarray(x[:, ::-1])
    with np.errstate(over="ignore"):
        expected = arithmetic.silu_mul(x, up)
    assert different_bits(SILU_MUL(x, up), expected) == 0


@given(MATRICES)
def test_rope(x: F32) -> None:
    even = np.ascontiguousarray(x[:, :36])
    cosine, sine = np.cos(x[:, :18]), np.sin(x[:, 1:19])
    with np.errstate(over="ignore"):
        expected = arithmetic.rope(even, cosine, sine)
    assert different_bits(ROPE(even, cosine, sine), expected) == 0


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 33, 64, 100])
def test_tree_sum(size: int) -> None:
    width = onnx_arithmetic.tree_width(size)

    def build(nodes: OnnxNodes, x: ir.Value) -> ir.Value:
        padded = nodes.pad(x, nodes.ints(0, width - size), onnx_arithmetic.zero(nodes))
        return onnx_arithmetic.tree_sum(nodes, padded, width)

    x = np.random.default_rng(size).standard_normal((7, size)).astype(np.float32)
    assert different_bits(OnnxFunction(1, build)(x)[:, 0], arithmetic.tree_sum(x)) == 0


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_attend(positions: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = (5 * random.standard_normal((4, positions))).astype(np.float32)
    codes = random.integers(-127, 128, (positions, 8)).astype(np.int8)
    scales = random.uniform(0, 0.02, positions).astype(np.float32)
    visible = np.tri(4, positions, dtype=np.bool_)
    width = onnx_arithmetic.tree_width(positions) * 2

    def build(nodes: OnnxNodes, x: ir.Value) -> ir.Value:
        window = onnx_arithmetic.Window(
            visible=nodes.constant("visible", visible),
            padding=nodes.ints(0, width - positions),
            width=width,
        )
        values = onnx_arithmetic.QuantisedNodes(
            nodes.constant("codes", codes), nodes.constant("scales", scales)
        )
        return onnx_arithmetic.attend(nodes, x, window, values)

    expected = arithmetic.attend(scores, visible, codes, scales)
    assert different_bits(OnnxFunction(1, build)(scores), expected) == 0
