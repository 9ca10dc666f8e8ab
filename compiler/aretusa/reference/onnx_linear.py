"""Linear layers and embeddings as ONNX nodes: linear.py again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from aretusa.reference.onnx_arithmetic import QuantisedNodes, matmul_int8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aretusa.quantization.schemes import QuantisedMatrix
    from aretusa.reference.onnx_nodes import OnnxNodes


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixNodes:
    """The constants of a quantised matrix, column by column, the zero point taken off.

    One scale per row: codes [depth, rows], scales [rows]. Groups: codes [groups, length, rows],
    scales, minimums and zero points [groups, 1, rows]; a short last group is filled with zeros.
    """

    codes: ir.Value
    scales: ir.Value
    minimums: ir.Value | None
    zeros: ir.Value | None
    depth: int
    group: int
    groups: int

    @property
    def has_groups(self) -> bool:
        """Whether there is more than one scale per row."""
        return self.group != 0

    @property
    def padding(self) -> int:
        """Zeros behind the last group."""
        return self.groups * self.group - self.depth if self.has_groups else 0


def declare_matrix(nodes: OnnxNodes, name: str, matrix: QuantisedMatrix) -> MatrixNodes:
    """Store a matrix as constants whose names begin with `name`."""
    codes = _signed_codes(matrix)
    scales = matrix.scales.astype(np.float32)
    minimums = zeros = None
    if matrix.scales.ndim == 2:
        codes = codes.reshape(matrix.groups, matrix.group, matrix.rows)
        scales = _by_group(scales)
    if matrix.minimums is not None:
        minimums = nodes.constant(f"{name}.minimums", _by_group(matrix.minimums.astype(np.float32)))
    if matrix.zeros is not None:
        zeros = nodes.constant(f"{name}.zeros", _by_group(matrix.zeros.astype(np.float32)))
    return MatrixNodes(
        codes=nodes.constant(name, codes),
        scales=nodes.constant(f"{name}.scales", scales),
        minimums=minimums,
        zeros=zeros,
        depth=matrix.depth,
        group=matrix.group,
        groups=matrix.groups,
    )


def _signed_codes(matrix: QuantisedMatrix) -> NDArray[np.int8]:
    """Codes less their zero as [depth, rows], the depth padded to whole groups."""
    length = matrix.depth if matrix.group == 0 else matrix.groups * matrix.group
    codes = np.zeros((length, matrix.rows), np.int8)
    codes[: matrix.depth] = matrix.codes.view(np.int8).T
    codes[: matrix.depth] -= np.int8(matrix.zero)
    return codes


def _by_group(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """[rows, groups] -> [groups, 1, rows]."""
    return np.ascontiguousarray(values.T[:, None, :])


def embed(nodes: OnnxNodes, table: MatrixNodes, tokens: ir.Value) -> ir.Value:
    """The rows of the tokens, dequantised."""
    axis = 2 if table.has_groups else 1
    codes = nodes.to_f32(nodes.add("Gather", table.codes, tokens, axis=axis))
    scales = nodes.add("Gather", table.scales, tokens, axis=axis if table.has_groups else 0)
    columns = nodes.add("Mul", codes, scales)
    if table.minimums is not None:
        minimums = nodes.add("Gather", table.minimums, tokens, axis=axis)
        columns = nodes.add("Add", columns, minimums)
    if not table.has_groups:
        return nodes.transpose(columns, 1, 0)
    rows = nodes.reshape(nodes.transpose(columns, 2, 0, 1), 0, -1)
    return nodes.slice(rows, nodes.ints(0), nodes.ints(table.depth), 1) if table.padding else rows


def group_codes(nodes: OnnxNodes, codes: ir.Value, matrix: MatrixNodes) -> ir.Value:
    """Activation codes [tokens, depth] -> [groups, tokens, length]."""
    if matrix.padding:
        nothing = nodes.constant("zero_code", np.array(0, np.int8))
        codes = nodes.pad(codes, nodes.ints(0, matrix.padding), nothing)
    return nodes.transpose(nodes.reshape(codes, 0, matrix.groups, matrix.group), 1, 0, 2)


def linear(nodes: OnnxNodes, matrix: MatrixNodes, src: QuantisedNodes) -> ir.Value:
    """value(matrix) @ (codes * scales) before bias and residual; src in groups if matrix is."""
    products = nodes.to_f32(matmul_int8(nodes, src.codes, matrix.codes))
    if not matrix.has_groups:
        return nodes.add("Mul", nodes.add("Mul", products, src.scales), matrix.scales)
    if matrix.zeros is not None:
        share = nodes.add("Mul", _code_sums(nodes, src), matrix.zeros)
        products = nodes.add("Sub", products, share)  # integers below 2**24: exact
    terms = nodes.add("Mul", products, matrix.scales)
    if matrix.minimums is not None:
        share = nodes.add("Mul", _code_sums(nodes, src), matrix.minimums)
        terms = nodes.add("Add", terms, share)
    total, *others = nodes.split(terms, matrix.groups, 0)
    for term in others:
        total = nodes.add("Add", total, term)
    return nodes.add("Mul", nodes.add("Squeeze", total, nodes.ints(0)), src.scales)


def _code_sums(nodes: OnnxNodes, src: QuantisedNodes) -> ir.Value:
    """Sum of each token's codes of a group [groups, tokens, 1]."""
    wide = nodes.cast(src.codes, ir.DataType.INT32)
    return nodes.to_f32(nodes.add("ReduceSum", wide, nodes.ints(-1), keepdims=1))
