"""The arithmetic contract as standard ONNX nodes: arithmetic.py again, function by function.

Every rounding is a node of its own, so a runtime that does not fuse nodes gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx_ir as ir

from aretusa.reference import arithmetic
from aretusa.reference.onnx_nodes import IntegerMatmul, OnnxNodes

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The first and the last k of exp(): those of the bounds to which its argument is clamped.
_EXP_FIRST: Final = int(np.rint(arithmetic.EXP_MIN * arithmetic.EXP_INVERSE_STEP))
_EXP_LAST: Final = int(np.rint(arithmetic.EXP_MAX * arithmetic.EXP_INVERSE_STEP))


@dataclass(frozen=True, slots=True)
class QuantisedNodes:
    """int8 codes and one scale per row; the scales keep the last axis, with length one."""

    codes: ir.Value
    scales: ir.Value


def matmul_int8(nodes: OnnxNodes, lhs: ir.Value, rhs: ir.Value) -> ir.Value:
    """Int32 sums of products of int8 codes."""
    if nodes.integer_matmul is IntegerMatmul.INT8:
        return nodes.add("MatMulInteger", lhs, rhs)
    return matmul_int32(nodes, lhs, rhs)


def matmul_int32(nodes: OnnxNodes, lhs: ir.Value, rhs: ir.Value) -> ir.Value:
    """Int32 sums of products of codes of any type."""
    wide = [nodes.cast(side, ir.DataType.INT32) for side in (lhs, rhs)]
    return nodes.add("MatMul", *wide)


def zero(nodes: OnnxNodes) -> ir.Value:
    """The number 0."""
    return nodes.f32("zero", np.float32(0))


def one(nodes: OnnxNodes) -> ir.Value:
    """The number 1."""
    return nodes.f32("one", np.float32(1))


def tree_width(size: int) -> int:
    """The power of two to which rows are padded before they are summed."""
    return 1 << (size - 1).bit_length()


def tree_sum(nodes: OnnxNodes, padded: ir.Value, width: int) -> ir.Value:
    """Sum along the last axis, whose length is the power of two `width`; keeps the axis."""
    while width > 1:
        width //= 2
        lower, upper = nodes.split(padded, 2, -1)
        padded = nodes.add("Add", lower, upper)
    return padded


def exp(nodes: OnnxNodes, x: ir.Value) -> ir.Value:
    """e**x; the shift that makes a power of two from k is a second table."""
    x = nodes.add("Max", x, nodes.f32("exp/min", arithmetic.EXP_MIN))
    x = nodes.add("Min", x, nodes.f32("exp/max", arithmetic.EXP_MAX))
    inverse_step = nodes.f32("exp/inverse_step", arithmetic.EXP_INVERSE_STEP)
    k = nodes.add("Round", nodes.add("Mul", x, inverse_step))
    tail = _exp_tail(nodes, x, k)
    index = nodes.cast(k, ir.DataType.INT32)
    index = nodes.add("Sub", index, nodes.constant("exp/first", np.array(_EXP_FIRST, np.int32)))
    table, powers = _exp_tables()
    table_entry = nodes.add("Gather", nodes.constant("exp/table", table), index)
    power = nodes.add("Gather", nodes.constant("exp/powers", powers), index)
    grown = nodes.add("Add", table_entry, nodes.add("Mul", table_entry, tail))
    return nodes.add("Mul", grown, power)


def _exp_tail(nodes: OnnxNodes, x: ir.Value, k: ir.Value) -> ir.Value:
    """exp(r) - 1 of the remainder r by the polynomial."""
    high = nodes.add("Mul", k, nodes.f32("exp/step_high", arithmetic.EXP_STEP_HIGH))
    low = nodes.add("Mul", k, nodes.f32("exp/step_low", arithmetic.EXP_STEP_LOW))
    r = nodes.add("Sub", nodes.add("Sub", x, high), low)
    cubic = nodes.add("Mul", r, nodes.f32("exp/c3", arithmetic.EXP_C3))
    inner = nodes.add("Add", nodes.f32("exp/c2", arithmetic.EXP_C2), cubic)
    return nodes.add("Add", r, nodes.add("Mul", nodes.add("Mul", r, r), inner))


def _exp_tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """2**(k % steps / steps) and 2**(k // steps) for every k."""
    k = np.arange(_EXP_FIRST, _EXP_LAST + 1)
    table = arithmetic.EXP_TABLE[k % arithmetic.EXP_STEPS]
    return table, np.exp2(k // arithmetic.EXP_STEPS).astype(np.float32)


def rms_norm(
    nodes: OnnxNodes, x: ir.Value, weight: ir.Value, *, depth: int, eps: float
) -> ir.Value:
    """Give x / sqrt(mean(x**2) + eps) * weight along the last axis of length `depth`."""
    width = tree_width(depth)
    squares = nodes.add("Mul", x, x)
    if width != depth:
        squares = nodes.pad(squares, nodes.ints(0, width - depth), zero(nodes))
    size = nodes.f32(f"size/{depth}", np.float32(depth))
    mean = nodes.add("Div", tree_sum(nodes, squares, width), size)
    root = nodes.add("Sqrt", nodes.add("Add", mean, nodes.f32(f"eps/{eps}", np.float32(eps))))
    inverse = nodes.add("Div", one(nodes), root)
    return nodes.add("Mul", nodes.add("Mul", x, inverse), weight)


def largest(nodes: OnnxNodes, x: ir.Value) -> ir.Value:
    """Maximum along the last axis, which stays with length one."""
    return nodes.add("ReduceMax", x, nodes.ints(-1), keepdims=1)


def scale_of(nodes: OnnxNodes, peak: ir.Value, code_max: ir.Value) -> ir.Value:
    """Give peak / code_max, or 0 where that is not a normal number."""
    scale = nodes.add("Div", peak, code_max)
    is_tiny = nodes.add("Less", scale, nodes.f32("scale_min", np.float32(arithmetic.SCALE_MIN)))
    return nodes.add("Where", is_tiny, zero(nodes), scale)


def round_to_codes(nodes: OnnxNodes, x: ir.Value, scale: ir.Value) -> ir.Value:
    """round(x / scale), still as real numbers; zeros where the scale is 0."""
    infinity = nodes.f32("infinity", np.float32(np.inf))
    is_zero = nodes.add("Equal", scale, zero(nodes))
    divisor = nodes.add("Where", is_zero, infinity, scale)
    return nodes.add("Round", nodes.add("Div", x, divisor))


def quantise(nodes: OnnxNodes, x: ir.Value, bits: int = 8) -> QuantisedNodes:
    """Codes in -127..127, or -7..7 with 4 bits, and one scale for each row (last axis) of x."""
    name = "code_max" if bits == 8 else f"code_max/{bits}"
    code_max = nodes.f32(name, arithmetic.code_max(bits))
    scales = scale_of(nodes, largest(nodes, nodes.add("Abs", x)), code_max)
    return QuantisedNodes(nodes.cast(round_to_codes(nodes, x, scales), ir.DataType.INT8), scales)


def quantise_from_zero(nodes: OnnxNodes, x: ir.Value) -> QuantisedNodes:
    """Codes of a span of at most 15 with 0 in it, and a scale of 20 bits for each row of x."""
    lowest = nodes.add("Min", nodes.add("ReduceMin", x, nodes.ints(-1), keepdims=1), zero(nodes))
    span = nodes.add("Sub", nodes.add("Max", largest(nodes, x), zero(nodes)), lowest)
    scales = scale_of(nodes, span, nodes.f32("span", arithmetic.SPAN))
    moved = nodes.add("Mul", scales, nodes.f32("shortener", arithmetic.SHORTENER))
    scales = nodes.add("Sub", moved, nodes.add("Sub", moved, scales))
    return QuantisedNodes(nodes.cast(round_to_codes(nodes, x, scales), ir.DataType.INT8), scales)


def rope(nodes: OnnxNodes, x: ir.Value, cosine: ir.Value, sine: ir.Value) -> ir.Value:
    """Rotate the two halves of the last axis by the angles whose cosine and sine are given."""
    lower, upper = nodes.split(x, 2, -1)
    left = nodes.add("Sub", nodes.add("Mul", lower, cosine), nodes.add("Mul", upper, sine))
    right = nodes.add("Add", nodes.add("Mul", upper, cosine), nodes.add("Mul", lower, sine))
    return nodes.add("Concat", left, right, axis=-1)


def silu_mul(nodes: OnnxNodes, gate: ir.Value, up: ir.Value) -> ir.Value:
    """Give gate / (1 + exp(-gate)) * up."""
    divisor = nodes.add("Add", one(nodes), exp(nodes, nodes.add("Neg", gate)))
    return nodes.add("Mul", nodes.add("Div", gate, divisor), up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The positions that a step sees: a mask [tokens, positions] and the padding of their sums."""

    visible: ir.Value
    padding: ir.Value  # zeros in front of and behind a row of positions, up to `width`
    width: int


def attend(nodes: OnnxNodes, scores: ir.Value, window: Window, values: QuantisedNodes) -> ir.Value:
    """Softmax of the visible scores [..., tokens, positions], applied to the quantised values.

    The codes of the values are [..., positions, dim], their scales [..., 1, positions].
    """
    hidden = nodes.f32("hidden_score", np.float32(-np.inf))
    peak = largest(nodes, nodes.add("Where", window.visible, scores, hidden))
    weights = exp(nodes, nodes.add("Sub", scores, peak))
    weights = nodes.add("Where", window.visible, weights, zero(nodes))
    total = tree_sum(nodes, nodes.pad(weights, window.padding, zero(nodes)), window.width)
    scaled = nodes.add("Mul", weights, values.scales)
    code_max = nodes.f32("probability_max", arithmetic.PROBABILITY_MAX)
    step = scale_of(nodes, largest(nodes, scaled), code_max)
    sums = matmul_int32(nodes, round_to_codes(nodes, scaled, step), values.codes)
    factor = nodes.add("Div", step, total)
    return nodes.add("Mul", nodes.to_f32(sums), factor)
