"""Bytes of scratch that the kernels need: twins of the C functions art_..._scratch_bytes."""

from __future__ import annotations

from typing import Final

LANES: Final = 8
FLOAT_BYTES: Final = 4
SCORES_BYTES: Final = 32768  # how many rows of scores go through attention's phases together


def quantise_scratch_bytes(*, tokens: int, depth: int) -> int:
    """Scratch of the row-quantising kernels: art_quantise_scratch_bytes."""
    lane_elements = -(-depth // LANES)
    return (2 * tokens + lane_elements) * LANES * FLOAT_BYTES


def attention_scratch_bytes(*, tokens: int, heads: int, kv_heads: int, context: int) -> int:
    """Scratch of attention for any position: art_attention_scratch_bytes."""
    repeat = heads // kv_heads
    room = SCORES_BYTES // (repeat * context * FLOAT_BYTES)
    items = min(max(room, 1), tokens * kv_heads)
    lane_context = -(-context // LANES)
    floats = items * repeat * (context + 3 * LANES) + LANES * lane_context
    return floats * FLOAT_BYTES
