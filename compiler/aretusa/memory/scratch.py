"""Bytes of scratch that the kernels need: twins of the C functions art_..._scratch_bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aretusa.memory.matrix_parts import BLOCK_ROWS, matrix_parts

if TYPE_CHECKING:
    from aretusa.ir.types import DenseType
    from aretusa.memory.engine_pieces import EnginePiece

LANES: Final = 8
FLOAT_BYTES: Final = 4
EXP_STEPS: Final = 32  # of the table of exponentials, of which attention keeps a copy
EMBED_TOKENS: Final = 8  # rows of an embedding table that are in L1 at a time


def quantise_scratch_bytes(*, tokens: int, depth: int) -> int:
    """Scratch of the row-quantising kernels: art_quantise_scratch_bytes."""
    lane_elements = -(-depth // LANES)
    return (2 * tokens + lane_elements) * LANES * FLOAT_BYTES


def append_scratch_bytes(*, tokens: int, heads: int, row_bytes: int) -> int:
    """Rows on their way to a cache, codes and scales: art_cache_append_scratch_bytes."""
    codes_bytes = -(-heads * tokens * row_bytes // FLOAT_BYTES) * FLOAT_BYTES
    return codes_bytes + FLOAT_BYTES * heads * tokens


def attention_scratch_bytes(
    *,
    tokens: int,
    heads: int,
    kv_heads: int,
    dim: int,
    row_bytes: int,
    context: int,
    tile_positions: int,
    scores_bytes: int,
) -> int:
    """Scratch of attention for any position: art_attention_scratch_bytes.

    `scores_bytes` is room for scores, of which those of one token and one kv head always fit; two
    tiles of `tile_positions` positions, a multiple of 8, hold keys or values, whose codes take up
    to `row_bytes` each.
    """
    repeat = heads // kv_heads
    room = scores_bytes // (repeat * context * FLOAT_BYTES)
    rows = min(max(room, 1), tokens * kv_heads) * repeat
    trees = max(LANES * LANES, 1 << (context - 1).bit_length())
    words = rows * (context + 3 * LANES + 1) + EXP_STEPS + max(trees, rows * dim)
    return words * FLOAT_BYTES + 2 * tile_positions * (row_bytes + FLOAT_BYTES)


def embed_scratch_bytes(
    piece: EnginePiece | None, rest: DenseType | None, *, tokens: int = EMBED_TOKENS
) -> int:
    """Rows of an embedding table on their way to the cores: art_embed_scratch_bytes.

    A row of `rest` brings the block that it is stored in.
    """
    piece_bytes = 0 if piece is None else piece.row_bytes + FLOAT_BYTES
    rest_bytes = 0
    if rest is not None:
        rest_bytes = matrix_parts(replace(rest, rows=BLOCK_ROWS), has_bias=False).size_bytes
    return min(tokens, EMBED_TOKENS) * max(piece_bytes, rest_bytes)
