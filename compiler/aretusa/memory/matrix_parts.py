"""Where the parts of a packed matrix start; runtime/src/places.c computes the same offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.memory.placement import align
from aretusa.quantization.kept_columns import kept_block_bytes
from aretusa.quantization.schemes import CHANNEL, container_bits

if TYPE_CHECKING:
    from aretusa.ir.types import DenseType

BLOCK_ROWS: Final = 8  # rows that are stored interleaved


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixParts:
    """Codes start at 0; each further part starts aligned. An absent part has no bytes."""

    codes_bytes: int
    scales_offset: int
    scales_bytes: int
    minimums_offset: int
    minimums_bytes: int
    bias_offset: int
    bias_bytes: int

    @property
    def size_bytes(self) -> int:
        """All parts, aligned at the end."""
        return align(self.bias_offset + self.bias_bytes)


def block_code_bytes(matrix: DenseType) -> int:
    """Codes of eight rows."""
    container = container_bits(matrix.bits)
    if matrix.is_packed and matrix.pattern is not None:
        return kept_block_bytes(matrix.depth, container, matrix.pattern)
    return matrix.depth * container


def matrix_parts(matrix: DenseType, *, has_bias: bool) -> MatrixParts:
    """Layout of one matrix in its memory."""
    rows = -(-matrix.rows // BLOCK_ROWS) * BLOCK_ROWS
    codes_bytes = rows // BLOCK_ROWS * block_code_bytes(matrix)
    is_channel = matrix.group == CHANNEL
    scales_bytes = rows * (4 if is_channel else 2 * matrix.groups)
    minimums_bytes = scales_bytes if matrix.has_minimum else 0
    scales_offset = align(codes_bytes)
    minimums_offset = align(scales_offset + scales_bytes)
    bias_offset = align(minimums_offset + minimums_bytes)
    return MatrixParts(
        codes_bytes=codes_bytes,
        scales_offset=scales_offset,
        scales_bytes=scales_bytes,
        minimums_offset=minimums_offset,
        minimums_bytes=minimums_bytes,
        bias_offset=bias_offset,
        bias_bytes=4 * rows if has_bias else 0,
    )
