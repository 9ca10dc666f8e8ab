"""Steps of attention: which keys and values are in a tile when.

The twin of runtime/src/kernels/attention_steps.c.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from aretusa.trace.layouts import up

if TYPE_CHECKING:
    from collections.abc import Iterator


class StepPart(IntEnum):
    """What a step's tile holds."""

    KEYS = 0
    VALUE_SCALES = 1
    VALUES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionShape:
    """struct art_attention_shape; heads are kv heads, `repeat` query heads share one."""

    tokens: int
    heads: int
    repeat: int
    dim: int
    position: int
    context: int
    tile_positions: int
    scores_bytes: int
    key_bytes: int  # codes of one head and position
    value_bytes: int

    @property
    def tile_bytes(self) -> int:
        """Of one of the two tiles."""
        return self.tile_positions * (max(self.key_bytes, self.value_bytes) + 4)

    @property
    def room(self) -> int:
        """Items whose scores go through attention together."""
        return max(1, self.scores_bytes // (4 * self.repeat * self.context))

    @property
    def pass_tokens(self) -> int:
        """Tokens of a pass."""
        return min(self.room, self.tokens)

    @property
    def pass_heads(self) -> int:
        """Heads of a pass."""
        if self.pass_tokens < self.tokens:
            return 1
        return min(self.room // self.pass_tokens, self.heads)

    def words(self, rows: int) -> int:
        """Words of scratch before the tiles for so many rows of scores."""
        lanes = 8
        trees = max(lanes * lanes, 1 << (self.context - 1).bit_length())
        powers = 32  # of the table of exponentials
        return rows * (self.context + 3 * lanes + 1) + powers + max(rows * self.dim, trees)

    @property
    def rows(self) -> int:
        """Rows of scores of a full pass."""
        return self.pass_heads * self.pass_tokens * self.repeat

    @property
    def scratch_bytes(self) -> int:
        """For as many tokens: art_attention_scratch_bytes."""
        rows = min(self.room, self.tokens * self.heads) * self.repeat
        return 4 * self.words(rows) + 2 * self.tile_bytes

    def width(self, part: StepPart) -> int:
        """Bytes of one position of one head in a tile."""
        widths = {StepPart.KEYS: self.key_bytes + 4, StepPart.VALUE_SCALES: 4}
        return widths.get(part, self.value_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One step: positions `position` .. `end` - 1 of heads `head` .. `head + heads` - 1.

    Its pass has `pass_heads` heads from `pass_head` on and `pass_tokens` tokens; `slot` is 0 or 1,
    and a head has room for `stride` positions in it, codes before scales.
    """

    pass_head: int
    pass_heads: int
    pass_token: int
    pass_tokens: int
    visible: int
    part: StepPart
    head: int
    heads: int
    position: int
    end: int
    stride: int
    slot: int

    @property
    def ends_part(self) -> bool:
        """Whether it is the last step of its part of the pass."""
        is_last_head = self.head + self.heads == self.pass_head + self.pass_heads
        return self.end == self.visible and is_last_head


def attention_tiles(shape: AttentionShape) -> Iterator[Tile]:
    """All steps of a call, in order."""
    slot = 0
    for pass_head in range(0, shape.heads, shape.pass_heads):
        for pass_token in range(0, shape.tokens, shape.pass_tokens):
            pass_tokens = min(shape.pass_tokens, shape.tokens - pass_token)
            start = Tile(
                pass_head=pass_head,
                pass_heads=min(shape.pass_heads, shape.heads - pass_head),
                pass_token=pass_token,
                pass_tokens=pass_tokens,
                visible=shape.position + pass_token + pass_tokens,
                part=StepPart.KEYS,
                head=pass_head,
                heads=0,
                position=0,
                end=0,
                stride=0,
                slot=slot,
            )
            for part in StepPart:
                for tile in _part_tiles(shape, replace(start, part=part, slot=slot)):
                    yield tile
                    slot = 1 - tile.slot


def _part_tiles(shape: AttentionShape, tile: Tile) -> Iterator[Tile]:
    """The tiles of one part of a pass."""
    room = shape.tile_bytes // shape.width(tile.part) // 8 * 8
    every = tile.visible if shape.dim % 4 == 0 else up(tile.visible, 4)
    head, slot = tile.pass_head, tile.slot
    while head < tile.pass_head + tile.pass_heads:
        left = tile.pass_head + tile.pass_heads - head
        heads = min(room // every, left) if every <= room else 1
        position = 0
        while position < tile.visible:
            stride = min(room, every - position)
            end = min(position + stride, tile.visible)
            yield replace(
                tile, head=head, heads=heads, position=position, end=end, stride=stride, slot=slot
            )
            position, slot = end, 1 - slot
        head += heads
