"""Attention as events: tiles of keys and values come in while the cores work on the tile before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.trace.attention_steps import AttentionShape, StepPart, attention_tiles
from aretusa.trace.layouts import cache_codes_bytes, cache_row_bytes
from aretusa.trace.recorder import Copies

if TYPE_CHECKING:
    from aretusa.ir import ops
    from aretusa.trace.attention_steps import Tile
    from aretusa.trace.call import Call
    from aretusa.trace.event import Access


SCALE_BYTES: Final = 4


def attention_shape(call: Call, op: ops.CachedAttention) -> AttentionShape:
    """The shape of a call."""
    listing = call.machine.listing
    cache = listing.graph.cache(call.part.cache(op.key_cache, call.table_row))
    values = listing.graph.cache(call.part.cache(op.value_cache, call.table_row))
    _, heads, dim = op.query.type.dims(call.step.tokens)
    return AttentionShape(
        tokens=call.step.tokens,
        heads=cache.heads,
        repeat=heads // cache.heads,
        dim=dim,
        position=call.step.position,
        context=listing.graph.context,
        tile_positions=listing.working.tile_positions,
        scores_bytes=listing.working.scores_bytes,
        key_bytes=cache_row_bytes(cache),
        value_bytes=cache_row_bytes(values),
    )


def attention_events(call: Call, op: ops.CachedAttention, truth: ops.CachedAttention) -> None:
    """All events of art_attention."""
    _Attention(call, op, truth).run()


@dataclass(frozen=True, slots=True)
class _Rows:
    """Runs of `size` bytes, one for each head: where they start in the cache and in the scratch."""

    cache_at: int
    step: int  # from head to head in the cache
    tile_at: int
    stride: int  # in the tile
    size: int


class _Attention:
    def __init__(self, call: Call, op: ops.CachedAttention, truth: ops.CachedAttention) -> None:
        self.call, self.op, self.truth = call, op, truth
        self.recorder = call.machine.recorder
        self.shape = attention_shape(call, op)
        self.copies = Copies(self.recorder)
        rows = call.rows8(op.query)
        self.query = self.recorder.access(
            op.query.name, 0, rows.sums_offset, call.content(truth.query)
        )

    def run(self) -> None:
        """A barrier stands before each step: its tile has landed, the other one is free."""
        tiles = list(attention_tiles(self.shape))
        self._load(tiles[0])
        for index, tile in enumerate(tiles):
            self.copies.wait()
            self.recorder.barrier()
            if index + 1 < len(tiles):
                self._load(tiles[index + 1])
            self._touch(tile, index)

    def _load(self, tile: Tile) -> None:
        """Give the copies that fill a tile: art_attention_load."""
        _, role = self._cache(tile)
        place = self.call.part.cache(role, self.call.table_row)
        extent = self.recorder.extent
        for rows in self._rows(tile):
            self.copies.give_rows(
                extent(place, rows.cache_at, rows.size, count=tile.heads, stride=rows.step),
                extent(
                    self.call.scratch, rows.tile_at, rows.size, count=tile.heads, stride=rows.stride
                ),
            )

    def _cache(self, tile: Tile) -> tuple[str, str]:
        """Name of the cache, and its role in the layer."""
        if tile.part is StepPart.KEYS:
            return self.truth.key_cache, self.op.key_cache
        return self.truth.value_cache, self.op.value_cache

    def _rows(self, tile: Tile) -> list[_Rows]:
        """What a tile gets of each head: codes, scales, or both."""
        shape = self.shape
        row_bytes = shape.key_bytes if tile.part is StepPart.KEYS else shape.value_bytes
        codes_bytes = cache_codes_bytes(shape.heads * shape.context, row_bytes)
        at = 4 * self._words() + tile.slot * shape.tile_bytes
        first, count = tile.head * shape.context + tile.position, tile.end - tile.position
        found: list[_Rows] = []
        for is_part, start, width in (
            (tile.part is not StepPart.VALUE_SCALES, 0, row_bytes),
            (tile.part is not StepPart.VALUES, codes_bytes, SCALE_BYTES),
        ):
            if is_part:
                stride = tile.stride * width
                found.append(
                    _Rows(start + first * width, shape.context * width, at, stride, count * width)
                )
                at += tile.heads * stride
        return found

    def _words(self) -> int:
        """Words before the tiles."""
        return self.shape.words(self.shape.rows)

    def _touch(self, tile: Tile, index: int) -> None:
        """One step; each leaves the scores changed."""
        shape = self.shape
        name, _ = self._cache(tile)
        reads = [
            self.recorder.access(
                self.call.scratch,
                rows.tile_at,
                rows.size,
                name,
                rows.cache_at,
                count=tile.heads,
                stride=rows.stride,
                step=rows.step,
            )
            for rows in self._rows(tile)
        ]
        is_new = tile.part is StepPart.KEYS and (tile.head, tile.position) == (tile.pass_head, 0)
        reads += [self.query] if is_new else [self.query, self._scores(index - 1)]
        scores = self._scores(index)
        ends_weights = tile.part is StepPart.VALUE_SCALES and tile.ends_part
        weights = self._scores(index, "weights") if ends_weights else scores
        rows, count = tile.pass_tokens * shape.repeat * tile.heads, tile.end - tile.position
        phase = f"attention {tile.part.name.lower()}"
        self.recorder.touch(phase, reads, [weights, *self._results(tile)], count, rows, shape.dim)
        if ends_weights:
            self.recorder.barrier()
            every = tile.pass_heads * tile.pass_tokens * shape.repeat
            self.recorder.touch("attention codes", [weights], [scores], tile.visible, every, 1)

    def _scores(self, index: int, state: str = "scores") -> Access:
        """What a pass keeps before the tiles, as a step leaves it."""
        return self.call.kept(f"{state} {index}", 0, 4 * self._words())

    def _results(self, tile: Tile) -> list[Access]:
        """Results of the tokens whose last tile it is."""
        if tile.part is not StepPart.VALUES:
            return []
        shape = self.shape
        first = max(tile.pass_token, tile.position - shape.position)
        last = min(tile.pass_token + tile.pass_tokens, tile.end - shape.position)
        if first >= last:
            return []
        width = shape.repeat * shape.dim
        columns = (tile.head * width, (tile.head + tile.heads) * width)
        return [self.call.columns(self.op.out, self.truth.out, (first, last), columns)]
