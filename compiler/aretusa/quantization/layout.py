"""The packed layout of a matrix in memory, as runtime/include/aretusa/kernels.h documents it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aretusa.quantization.kept_columns import pack_kept, unpack_kept
from aretusa.quantization.schemes import CHANNEL, QuantisedMatrix, container_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

BLOCK_ROWS: Final = 8  # rows that are stored interleaved
SUM_RUN: Final = 32  # activation codes are summed in runs of this length
# Where the nibble of each row of a block stands in the 32-bit word of one column.
NIBBLE_SHIFTS: Final = tuple(4 * (lane // 2) + 16 * (lane % 2) for lane in range(BLOCK_ROWS))


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedMatrix:
    """The arrays of struct art_matrix; rows are padded with zeros to blocks of eight."""

    codes: (
        NDArray[np.int8] | NDArray[np.uint32] | NDArray[np.uint8]
    )  # int8 [block, k, lane], uint32 [block, k]
    scales: F32 | NDArray[np.float16]  # [block, lane] or [block, group, lane]
    minimums: NDArray[np.float16] | None  # [block, group, lane]
    zeros: NDArray[np.int16] | None  # alike; a matrix has one of them or neither
    bias: F32 | None  # [block, lane]
    rows: int
    depth: int
    group: int
    zero: int
    pattern: tuple[int, int] | None = None  # columns left out; then codes are bytes [block, n]
    container: int = 0  # bits of a code where columns are left out

    @property
    def bits(self) -> int:
        """Bits per weight code."""
        if self.pattern is not None:
            return self.container
        return 8 if self.codes.dtype == np.int8 else 4

    @property
    def form(self) -> int:
        """The number in enum art_matrix_form."""
        return (0 if self.bits == 8 else 2) + (0 if self.group == CHANNEL else 1)

    @property
    def size_bytes(self) -> int:
        """Bytes of all arrays together, without padding between them."""
        arrays = (self.codes, self.scales, self.minimums, self.zeros, self.bias)
        return sum(array.nbytes for array in arrays if array is not None)


def pack_matrix(
    matrix: QuantisedMatrix, bias: F32 | None = None, pattern: tuple[int, int] | None = None
) -> PackedMatrix:
    """Interleave the rows in blocks of eight; 4-bit codes eight to a word.

    With a pattern (n, m) the n zero columns of every m are left out.
    """
    return PackedMatrix(
        codes=_pack_codes(matrix, pattern),
        scales=_pack_scales(matrix.scales),
        minimums=None if matrix.minimums is None else _pack_scales(matrix.minimums),
        zeros=None if matrix.zeros is None else _pack_scales(matrix.zeros),
        bias=None if bias is None else _block_rows(bias.astype(np.float32)),
        rows=matrix.rows,
        depth=matrix.depth,
        group=matrix.group,
        zero=matrix.zero,
        pattern=pattern,
        container=container_bits(matrix.bits),
    )


def unpack_matrix(packed: PackedMatrix) -> tuple[QuantisedMatrix, F32 | None]:
    """The matrix and bias that were packed."""
    codes: NDArray[np.int8] | NDArray[np.uint8]
    if packed.pattern is not None:
        codes = _unpack_kept(packed)
    elif packed.bits == 4:
        codes = _unpack_nibbles(packed.codes.view(np.uint32), packed.rows)
    else:
        lanes = packed.codes.view(np.int8).transpose(0, 2, 1)
        codes = lanes.reshape(-1, packed.depth)[: packed.rows]
    matrix = QuantisedMatrix(
        codes=codes,
        scales=_unpack_scales(packed.scales, packed.rows),
        minimums=None if packed.minimums is None else _unpack_scales(packed.minimums, packed.rows),
        zeros=None if packed.zeros is None else _unpack_scales(packed.zeros, packed.rows),
        bits=packed.bits,
        group=packed.group,
        zero=packed.zero,
    )
    return matrix, None if packed.bias is None else packed.bias.reshape(-1)[: packed.rows]


def _pack_codes(
    matrix: QuantisedMatrix, pattern: tuple[int, int] | None
) -> NDArray[np.int8] | NDArray[np.uint32] | NDArray[np.uint8]:
    container = container_bits(matrix.bits)
    if pattern is not None:
        blocks = _block_rows(matrix.codes, matrix.zero)
        return pack_kept(blocks, matrix.zero, container, pattern)
    codes = _block_rows(matrix.codes)  # [block, lane, k]
    if container == 4:
        return _pack_nibbles(codes)
    return np.ascontiguousarray(codes.transpose(0, 2, 1)).view(np.int8)


def _unpack_kept(packed: PackedMatrix) -> NDArray[np.int8] | NDArray[np.uint8]:
    assert packed.pattern is not None, "no column is left out"
    codes = unpack_kept(
        packed.codes.view(np.uint8), packed.depth, packed.zero, packed.container, packed.pattern
    ).reshape(-1, packed.depth)[: packed.rows]
    return codes if packed.container == 4 else codes.view(np.int8)


def code_sums(codes: NDArray[np.int8]) -> NDArray[np.int32]:
    """Sums of runs of 32 codes along the last axis, the `sums` of struct art_rows."""
    starts = np.arange(0, codes.shape[-1], SUM_RUN)
    return np.add.reduceat(codes, starts, axis=-1, dtype=np.int32)


def _block_rows(rows: NDArray[Any], padding: int = 0) -> NDArray[Any]:
    """[rows, ...] -> [block, lane, ...], padded."""
    blocks = -(-rows.shape[0] // BLOCK_ROWS)
    padded = np.full((blocks * BLOCK_ROWS, *rows.shape[1:]), padding, rows.dtype)
    padded[: rows.shape[0]] = rows
    return padded.reshape(blocks, BLOCK_ROWS, *rows.shape[1:])


def _pack_scales(scales: NDArray[Any]) -> NDArray[Any]:
    """[rows] -> [block, lane]; [rows, groups] -> [block, group, lane]."""
    blocks = _block_rows(scales)
    return blocks if scales.ndim == 1 else np.ascontiguousarray(blocks.transpose(0, 2, 1))


def _unpack_scales(packed: NDArray[Any], rows: int) -> NDArray[Any]:
    if packed.ndim == 2:
        return packed.reshape(-1)[:rows]
    return packed.transpose(0, 2, 1).reshape(-1, packed.shape[1])[:rows]


def _pack_nibbles(blocks: NDArray[Any]) -> NDArray[np.uint32]:
    """Codes [block, lane, k] below 16 -> words [block, k]."""
    words = np.zeros((blocks.shape[0], blocks.shape[2]), np.uint32)
    for lane, shift in enumerate(NIBBLE_SHIFTS):
        words |= blocks[:, lane].astype(np.uint32) << np.uint32(shift)
    return words


def _unpack_nibbles(words: NDArray[np.uint32], rows: int) -> NDArray[np.uint8]:
    shifts = np.array(NIBBLE_SHIFTS, np.uint32)[None, :, None]
    lanes = (words[:, None, :] >> shifts) & np.uint32(15)
    return lanes.astype(np.uint8).reshape(-1, words.shape[1])[:rows]
