"""LinearPlan: how a linear layer is cut into tiles, pages and units; art_linear_plan in C."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt
from typing import TYPE_CHECKING, Final

from aretusa.memory.matrix_parts import BLOCK_ROWS, matrix_parts
from aretusa.memory.placement import align
from aretusa.neureka.layout import gemv_3x3_channels
from aretusa.neureka.registers import TILE_CHANNELS, TILE_COLS, TILE_ROWS, Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.ir.types import DenseType
    from aretusa.memory.engine_pieces import EnginePiece
    from aretusa.memory.working_set import Ring, WorkingSet

SUM_BYTES: Final = 4
TOKENS_3X3: Final = 4  # that share one job, as a 2 x 2 grid
TOKENS_1X1: Final = TILE_ROWS * TILE_COLS  # that share one tile of pixels
GRID_PIXELS: Final = 36  # of the input image of a grid


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearPlan:
    """Sizes of one linear layer, equal for all layers of a kind.

    `pieces` and `rests` are the rows on N-EUREKA and those on the cluster, one of each per layer of
    the kind; either may be empty. A row count is 0 where it does not apply.
    """

    rows: int
    pieces: tuple[EnginePiece, ...]
    rests: tuple[DenseType, ...]
    has_bias: bool
    tile_rows: int
    slice_rows: int
    block_rows: int
    sums_bytes: int
    input_bytes: int

    @property
    def scratch_bytes(self) -> int:
        """Buffers of sums, two or with groups three, and two of inputs."""
        has_groups = any(piece.band_rows > 0 for piece in self.pieces)
        return (2 + has_groups) * align(self.sums_bytes) + 2 * align(self.input_bytes)


def plan_linear(
    pieces: Sequence[EnginePiece],
    rests: Sequence[DenseType],
    working: WorkingSet,
    *,
    has_bias: bool,
) -> LinearPlan:
    """Cut a layer for a working set; sizes that the working set is too small for come out as 0.

    The pieces of a kind's layers may have groups or none: what is shared suits all of them.
    """
    engine_rows = pieces[0].rows if pieces else 0
    rest_rows = rests[0].rows if rests else 0
    return LinearPlan(
        rows=engine_rows + rest_rows,
        pieces=tuple(pieces),
        rests=tuple(rests),
        has_bias=has_bias,
        tile_rows=min((tile_rows(m, working.tiles, has_bias=has_bias) for m in rests), default=0),
        slice_rows=min((slice_rows(piece, working.pages) for piece in pieces), default=0),
        block_rows=max(map(block_rows, pieces), default=0),
        sums_bytes=max((sums_bytes(piece, working) for piece in pieces), default=0),
        input_bytes=max((input_bytes(piece, working.chunk) for piece in pieces), default=0),
    )


def tile_bytes(matrix: DenseType, rows: int, *, has_bias: bool) -> int:
    """Bytes of some rows of a matrix in its packed layout."""
    return matrix_parts(replace(matrix, rows=rows), has_bias=has_bias).size_bytes


def tile_rows(matrix: DenseType, ring: Ring, *, has_bias: bool) -> int:
    """Most rows, in whole blocks, that one slot holds."""
    blocks = -(-matrix.rows // BLOCK_ROWS)
    while blocks and tile_bytes(matrix, blocks * BLOCK_ROWS, has_bias=has_bias) > ring.slot_bytes:
        whole = tile_bytes(matrix, blocks * BLOCK_ROWS, has_bias=has_bias)
        blocks = min(blocks - 1, blocks * ring.slot_bytes // whole)
    return blocks * BLOCK_ROWS


def slice_rows(piece: EnginePiece, ring: Ring) -> int:
    """Most rows, in whole tiles of output channels or whole bands, that one page holds."""
    step = piece.band_rows or TILE_CHANNELS
    if piece.size_bytes <= ring.slot_bytes:
        return -(-piece.rows // step) * step
    steps = 0
    while piece.page_bytes((steps + 1) * step) <= ring.slot_bytes:
        steps += 1
    return steps * step


def group_pixels(piece: EnginePiece, tokens: int) -> int:
    """Pixels of results per output channel that the largest group of a step leaves."""
    if piece.engine.mode is Mode.DENSE_1X1:
        return min(tokens, TOKENS_1X1)
    return {1: 1, 2: 4}.get(tokens, 16)


def group_tokens(piece: EnginePiece, tokens: int) -> int:
    """Tokens of that group."""
    largest = TOKENS_1X1 if piece.engine.mode is Mode.DENSE_1X1 else TOKENS_3X3
    return min(tokens, largest)


def unit_rows(plan: LinearPlan, piece: EnginePiece, tokens: int, *, is_paged: bool) -> int:
    """Output channels of one unit: what runs as one job and is finished together."""
    rows = min(piece.rows, plan.block_rows, piece.band_rows or piece.rows)
    if is_paged:
        rows = min(rows, plan.slice_rows)
    room = plan.sums_bytes // SUM_BYTES // group_pixels(piece, tokens)
    return rows if rows <= room else room // TILE_CHANNELS * TILE_CHANNELS


def sums_bytes(piece: EnginePiece, working: WorkingSet) -> int:
    """One buffer of sums: what a whole layer leaves, or what is allowed, at least one tile."""
    pixels = max(group_pixels(piece, tokens) for tokens in range(1, min(working.chunk, 36) + 1))
    least = SUM_BYTES * pixels * min(piece.rows, TILE_CHANNELS)
    whole = SUM_BYTES * pixels * min(piece.rows, block_rows(piece))
    return max(least, min(whole, working.sums_bytes))


def input_bytes(piece: EnginePiece, chunk: int) -> int:
    """One buffer of arranged inputs; 0 where the engine reads them in place."""
    if piece.engine.mode is Mode.DENSE_1X1:
        return group_tokens(piece, chunk) * piece.depth if piece.is_unsigned else 0
    channels = gemv_3x3_channels(piece.group_lengths[0])
    if chunk == 1:
        return 9 * channels if piece.is_unsigned else 0
    return (GRID_PIXELS if chunk > 2 else GRID_PIXELS // 2) * channels


def block_rows(piece: EnginePiece) -> int:
    """Output channels of a unit in decode: the epilogue of one overlaps the next one's job.

    More units leave a shorter last epilogue, and each costs two barriers and a job's set-up: about
    the square root of the number of tiles is best. With groups the jobs of a block's groups overlap
    in that way, and a block is a band.
    """
    if piece.band_rows:
        return piece.band_rows
    tiles = -(-piece.rows // TILE_CHANNELS)
    units = max(1, isqrt(tiles))
    return -(-tiles // units) * TILE_CHANNELS
