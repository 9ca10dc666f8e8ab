"""Streams: the transfers that fill the rings of tiles and pages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.memory.working_set import PAGES_RING, TILES_RING
from aretusa.schedule.streams import Pass, Streamed, StreamError, period_of
from aretusa.target.description import MemoryId
from aretusa.trace.event import Extent, Queue, SlotFree
from aretusa.trace.layouts import packed
from aretusa.trace.recorder import queue_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aretusa.memory.working_set import Ring
    from aretusa.schedule.streams import Load
    from aretusa.trace.listing import LinearNumbers, Listing, Matrix, Part
    from aretusa.trace.recorder import Recorder

Rows = tuple["Part", int]  # a part and the row of its tables


class Stream(ABC):
    """One ring: art_stream_begin, _await and _release."""

    region: str

    def __init__(self, recorder: Recorder, listing: Listing, *, is_short: bool) -> None:
        """No pass has begun."""
        self.recorder = recorder
        self.listing = listing
        self.matrices = listing.matrices
        self.period = period_of(self.ring.slots) if is_short else 0
        self._pass = Pass(0, ())
        self._landings: dict[int, tuple[Queue, int]] = {}

    @property
    @abstractmethod
    def ring(self) -> Ring:
        """The ring's size."""

    @abstractmethod
    def streamed(self, part: Part, row: int) -> Iterator[Streamed]:
        """What a part streams, in the order of use."""

    @abstractmethod
    def give(self, load: Load, slot: int) -> tuple[Queue, int]:
        """Give the transfers of a load; returns the last one's queue and number."""

    def begin(self, parts: Iterable[Rows]) -> None:
        """Start a pass over parts: fill the ring."""
        if self.region not in self.recorder.regions:
            return
        if not self._pass.is_over:
            raise StreamError(f"a pass begins while a slot of {self.region} is taken")
        listed = [weight for part, row in parts for weight in self.streamed(part, row)]
        self._pass = Pass(self.ring.slots, listed)
        self._fill()

    def take(self) -> int:
        """Wait for the next load; returns where its slot starts in the ring's region."""
        slot = self._pass.take()
        self.recorder.wait(*self._landings[slot])
        return slot * self.ring.slot_bytes

    def release(self) -> None:
        """The slot taken first is free."""
        slot = self._pass.release()
        self.recorder.events.append(SlotFree(self._slot(slot, 0, self.ring.slot_bytes)))
        self._fill()

    def _fill(self) -> None:
        for slot, load in self._pass.fill():
            self._landings[slot] = self.give(load, slot)

    def _slot(self, slot: int, at_bytes: int, size_bytes: int) -> Extent:
        """Bytes of a slot."""
        if at_bytes + size_bytes > self.ring.slot_bytes:
            raise StreamError(
                f"a load ends {at_bytes + size_bytes} bytes into a slot of {self.region},"
                f" which has {self.ring.slot_bytes}"
            )
        return self.recorder.extent(self.region, slot * self.ring.slot_bytes + at_bytes, size_bytes)


class TileStream(Stream):
    """Blocks of rows for the cluster."""

    region = TILES_RING

    @property
    def ring(self) -> Ring:
        """In L1."""
        return self.listing.working.tiles

    def streamed(self, part: Part, row: int) -> Iterator[Streamed]:
        """Every row on the cluster."""
        for op, numbers in zip(part.ops, part.linears, strict=True):
            if isinstance(op, ops.Linear) and numbers is not None:
                matrix = self.matrices[part.weight(op.weight, row)]
                if matrix.rest_rows:
                    yield self.tiles(matrix, numbers)

    def tiles(self, matrix: Matrix, numbers: LinearNumbers) -> Streamed:
        """A matrix's rows on the cluster."""
        return Streamed(matrix.name, matrix.rest_rows, numbers.tile_rows, self.period)

    def give(self, load: Load, slot: int) -> tuple[Queue, int]:
        """The parts of a tile."""
        matrix = self.matrices[load.weight]
        layouts = [
            packed(matrix.type, rows, has_bias=matrix.has_bias).parts
            for rows in (matrix.rest_rows, load.first, load.rows)
        ]
        queue, number = Queue.DMA, 0
        for whole, before, tile in zip(*layouts, strict=True):
            if tile.size_bytes:
                at = whole.offset_bytes + before.size_bytes
                source = self.recorder.extent(matrix.name, at, tile.size_bytes)
                target = self._slot(slot, tile.offset_bytes, tile.size_bytes)
                queue = queue_of(source.memory, target.memory)
                number = self.recorder.transfer(queue, source, target)
        return queue, number


class PageStream(Stream):
    """Rows on N-EUREKA that lie in L3."""

    region = PAGES_RING

    @property
    def ring(self) -> Ring:
        """In the SRAM."""
        return self.listing.working.pages

    def streamed(self, part: Part, row: int) -> Iterator[Streamed]:
        """The rows of matrices whose home is L3."""
        for op, numbers in zip(part.ops, part.linears, strict=True):
            if isinstance(op, ops.Linear) and numbers is not None:
                matrix = self.matrices[part.weight(op.weight, row)]
                if matrix.engine is None:
                    continue
                if self.recorder.regions[matrix.engine_region].memory is MemoryId.L3:
                    rows = matrix.engine.rows
                    yield Streamed(matrix.name, rows, numbers.slice_rows, self.period)

    def give(self, load: Load, slot: int) -> tuple[Queue, int]:
        """Codes, then the arrays of numbers per row."""
        matrix = self.matrices[load.weight]
        engine = matrix.engine
        assert engine is not None, f"{load.weight} has no rows on the engine"
        region, row_bytes = matrix.engine_region, engine.row_bytes
        codes = self.recorder.extent(region, load.first * row_bytes, load.rows * row_bytes)
        number = self.recorder.transfer(Queue.PAGES, codes, self._slot(slot, 0, codes.size_bytes))
        at, to = engine.channels_offset(engine.rows), engine.channels_offset(load.rows)
        for whole, before, size in zip(
            *map(engine.array_bytes, (engine.rows, load.first, load.rows)), strict=True
        ):
            source = self.recorder.extent(region, at + before, size)
            number = self.recorder.transfer(Queue.PAGES, source, self._slot(slot, to, size))
            at, to = at + whole, to + size
        return Queue.PAGES, number
