"""How keys and values pass through the scratch of attention: twin of kernels/attention_steps.c."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from aretusa.ir.types import cache_row_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALE_BYTES: Final = 4
LANES: Final = 8  # a tile of some of a head's positions holds a multiple of so many
PADDING: Final = 4  # positions of a head in a tile of several heads, where rows are not words


class Part(Enum):
    """What a step reads."""

    KEYS = "keys"
    VALUE_SCALES = "value_scales"
    VALUES = "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionShape:
    """struct art_attention_shape: `position` is that of the first token.

    A tile has room for `tile_positions` keys of a head, and the scores of the items that go
    together for `scores_bytes`.
    """

    tokens: int
    heads: int
    kv_heads: int
    dim: int
    position: int
    context: int
    tile_positions: int = 64
    scores_bytes: int = 8 << 12
    key_bits: int = 8
    value_bits: int = 8

    @property
    def repeat(self) -> int:
        """Query heads per kv head."""
        return self.heads // self.kv_heads

    @property
    def is_dense(self) -> bool:
        """Whether nothing lies between the heads of a tile."""
        return self.dim % 4 == 0

    @property
    def tile_bytes(self) -> int:
        """Of one of the two tiles."""
        widest = max(self.key_bits, self.value_bits)
        return self.tile_positions * (cache_row_bytes(self.dim, widest) + SCALE_BYTES)

    def part_bytes(self, part: Part) -> int:
        """Bytes of one position of one head."""
        match part:
            case Part.KEYS:
                return cache_row_bytes(self.dim, self.key_bits) + SCALE_BYTES
            case Part.VALUE_SCALES:
                return SCALE_BYTES
            case Part.VALUES:
                return cache_row_bytes(self.dim, self.value_bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Items that go through attention together: all tokens of some kv heads, or some of one."""

    heads: int
    token: int
    tokens: int
    visible: int  # positions that the last token sees


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One tile: positions `position` .. `end` - 1 of `heads` kv heads from `head` on."""

    part: Part
    head: int  # counted from the first of the pass
    heads: int
    position: int
    end: int
    ends_part: bool

    def copies(self, shape: AttentionShape) -> int:
        """Transfers that fill the tile: one for all heads where heads follow each other there."""
        return (1 if shape.is_dense else self.heads) * (2 if self.part is Part.KEYS else 1)

    def copied_bytes(self, shape: AttentionShape) -> int:
        """Bytes that they move."""
        return self.heads * (self.end - self.position) * shape.part_bytes(self.part)


def passes(shape: AttentionShape) -> Iterator[Pass]:
    """In the kernel's order."""
    room = max(1, shape.scores_bytes // (shape.repeat * shape.context * SCALE_BYTES))
    tokens = min(room, shape.tokens)
    heads = min(room // tokens, shape.kv_heads) if tokens == shape.tokens else 1
    for head in range(0, shape.kv_heads, heads):
        for token in range(0, shape.tokens, tokens):
            here = min(tokens, shape.tokens - token)
            yield Pass(
                heads=min(heads, shape.kv_heads - head),
                token=token,
                tokens=here,
                visible=shape.position + token + here,
            )


def steps(shape: AttentionShape, one: Pass) -> Iterator[Step]:
    """The steps of a pass; before each of them stands a barrier."""
    for part in Part:
        room = shape.tile_bytes // shape.part_bytes(part) // LANES * LANES
        whole = one.visible if shape.is_dense else -(-one.visible // PADDING) * PADDING
        together = room // whole if whole <= room else 1
        for head in range(0, one.heads, together):
            heads = min(together, one.heads - head)
            for position in range(0, one.visible, room):
                end = min(position + room, one.visible)
                yield Step(
                    part=part,
                    head=head,
                    heads=heads,
                    position=position,
                    end=end,
                    ends_part=end == one.visible and head + heads == one.heads,
                )
