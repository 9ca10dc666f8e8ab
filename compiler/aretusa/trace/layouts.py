"""Bytes and offsets of what is stored, from the headers of the runtime.

Written from runtime/include/aretusa/{places,kernels,engine}.h and shared with nobody: the planner
computes the same numbers in `memory`, and the checker compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from aretusa.ir.types import DenseType, DType

if TYPE_CHECKING:
    from aretusa.ir.types import Cache, TensorType

BEAT: Final = 32  # ART_ALIGN_BYTES
BLOCK: Final = 8  # ART_BLOCK_ROWS
RUN: Final = 32  # ART_SUM_RUN
TILE_OUT: Final = 32  # output channels of a tile of the engine: ART_ENGINE_UNIT_ROWS
TILE_3X3: Final = 28  # input channels of a tile, 3x3 mode
TILE_1X1: Final = 32  # the same in 1x1 mode
TAPS: Final = 9


def up(count: int, size: int) -> int:
    """The next multiple of size."""
    return (count + size - 1) // size * size


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a packed matrix."""

    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Packed:
    """Codes, scales, minimums, bias of a packed matrix; an absent part has no bytes."""

    parts: tuple[Part, Part, Part, Part]

    @property
    def size_bytes(self) -> int:
        """To the end of the last part, whole beats."""
        last = self.parts[3]
        return up(last.offset_bytes + last.size_bytes, BEAT)

    @property
    def block_bytes(self) -> int:
        """Without the bias: what the embedding reads of eight rows."""
        return self.parts[3].offset_bytes


def _block_codes(matrix: DenseType) -> int:
    """Codes of eight rows; of sparse ones only some columns, each with eight places."""
    eight = 4 if matrix.bits <= 4 else 8
    if not matrix.is_packed or matrix.pattern is None:
        return eight * matrix.depth
    zeros, columns = matrix.pattern
    places = {2: 1, 4: 2, 8: 3, 16: 4}[columns]
    return up((columns - zeros) * (eight + places) * (matrix.depth // columns), 4)


@cache
def packed(matrix: DenseType, rows: int, *, has_bias: bool) -> Packed:
    """So many rows in the cluster's layout: struct art_matrix."""
    stored = up(rows, BLOCK)
    codes = stored // BLOCK * _block_codes(matrix)
    groups = -(-matrix.depth // matrix.group) if matrix.group else 0
    scales = 2 * stored * groups if matrix.group else 4 * stored
    sizes = (codes, scales, scales if matrix.has_minimum else 0, 4 * stored if has_bias else 0)
    parts: list[Part] = []
    end = 0
    for size in sizes:
        parts.append(Part(up(end, BEAT), size))
        end = parts[-1].offset_bytes + size
    codes_part, scales_part, minimums_part, bias_part = parts
    return Packed((codes_part, scales_part, minimums_part, bias_part))


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRows:
    """The first rows of a matrix, in N-EUREKA's layout: struct art_engine_place."""

    rows: int
    depth: int
    bits: int
    is_1x1: bool
    has_bias: bool
    is_unsigned: bool
    group: int = 0
    band_rows: int = 0
    has_minimum: bool = False

    @property
    def lengths(self) -> list[int]:
        """Columns of each group of the depth."""
        step = self.group or self.depth
        return [min(step, self.depth - first) for first in range(0, self.depth, step)]

    def channels(self, length: int) -> int:
        """Input channels of a job with so many columns."""
        return length if self.is_1x1 else -(-length // TAPS)

    def group_bytes(self, length: int) -> int:
        """Codes of a row in a group of so many columns."""
        if self.is_1x1:
            return up(length, TILE_1X1)
        return -(-self.channels(length) // TILE_3X3) * self.bits * 32

    @property
    def row_bytes(self) -> int:
        """Codes of a row: art_engine_row_bytes."""
        return sum(map(self.group_bytes, self.lengths))

    def band(self, row: int) -> tuple[int, int]:
        """First row of the row's band, and the row behind its last one."""
        if not self.group:
            return 0, self.rows
        first = row - row % self.band_rows
        return first, min(first + self.band_rows, self.rows)

    def codes_at(self, row: int, group: int) -> int:
        """Where the codes of a row and group start: [band][group][row]."""
        first, end = self.band(row)
        sizes = [self.group_bytes(length) for length in self.lengths]
        before = (end - first) * sum(sizes[:group])
        return first * self.row_bytes + before + (row - first) * sizes[group]

    def array_bytes(self, rows: int) -> list[int]:
        """Scales, minimums, biases, corrections of some rows, as far as there are any."""
        scales = up(2 * rows * len(self.lengths), 4) if self.group else 4 * rows
        return [scales] * (1 + self.has_minimum) + [4 * rows] * (self.has_bias + self.is_unsigned)

    def channels_offset(self, rows: int) -> int:
        """Where the numbers start in a block of so many rows: art_engine_page_channels."""
        return up(rows * self.row_bytes, BEAT)

    def size_bytes(self, rows: int) -> int:
        """A block of so many rows."""
        return self.channels_offset(rows) + sum(self.array_bytes(rows))


@dataclass(frozen=True, slots=True)
class Rows8:
    """Quantised rows: codes, scales, sums; struct art_rows."""

    rows: int
    depth: int

    @property
    def scales_offset(self) -> int:
        """Codes lie before."""
        return up(self.rows * self.depth, 4)

    @property
    def sums_offset(self) -> int:
        """Scales lie before."""
        return self.scales_offset + 4 * self.rows

    @property
    def size_bytes(self) -> int:
        """All three parts."""
        return self.sums_offset + 4 * self.rows * -(-self.depth // RUN)


def value_bytes(tensor: TensorType, tokens: int) -> int:
    """A value of the graph in a step of so many tokens."""
    rows = 1
    for dim in tensor.dims(tokens)[:-1]:
        rows *= dim
    if tensor.dtype is DType.Q8:
        return Rows8(rows, tensor.depth).size_bytes
    return 4 * rows * tensor.depth


def cache_row_bytes(cache: Cache) -> int:
    """Codes of one head and position: art_cache_row_bytes."""
    return up(cache.dim, 8) // 2 if cache.bits == 4 else cache.dim


def cache_codes_bytes(rows: int, row_bytes: int) -> int:
    """Codes of so many rows of a cache, after which their scales start."""
    return up(rows * row_bytes, 4)


def cache_bytes(cache: Cache, context: int) -> int:
    """A whole cache."""
    rows = cache.heads * context
    return cache_codes_bytes(rows, cache_row_bytes(cache)) + 4 * rows
