"""Replay: runs events on shadows of the memories, and refuses the first that goes wrong."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, assert_never

from aretusa.check.rules import Rule, refusal, require
from aretusa.check.shadow import Shadow
from aretusa.check.traffic import Traffic, told, use_of
from aretusa.memory.contents import RegionKind
from aretusa.target.description import MemoryId
from aretusa.trace.event import (
    JOBS_MAX,
    TRANSFERS_MAX,
    Barrier,
    JobStart,
    JobWait,
    OpStart,
    Queue,
    SlotFree,
    StepStart,
    Touch,
    TransferStart,
    TransferWait,
)
from aretusa.trace.layouts import cache_codes_bytes, cache_row_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aretusa.check.traffic import Who
    from aretusa.trace.event import Access, Event, Extent
    from aretusa.trace.listing import Listing

CONSTANTS: Final = {RegionKind.WEIGHT, RegionKind.TABLE, RegionKind.TOKENIZER}
ADDRESSED: Final = {MemoryId.L1, MemoryId.L2, MemoryId.SRAM, MemoryId.MRAM}
WEIGHT_MEMORY: Final = {MemoryId.SRAM, MemoryId.MRAM}
UNITS: Final = (*(queue.name for queue in Queue), "N-EUREKA")  # what core 0 gives work to
ENGINE: Final = len(Queue)
AT_ONCE: Final = (len(UNITS), 0)  # what core 0 does by itself
ON_CHIP: Final = {MemoryId.L2, MemoryId.SRAM, MemoryId.MRAM}


def replay(listing: Listing, events: Iterable[Event]) -> None:
    """Refuse a schedule that reads what is not there or touches what is busy."""
    machine = Replay(listing)
    for event in events:
        machine.run(event)
    machine.end()


class Replay:
    """The memories of the chip with the images loaded."""

    def __init__(self, listing: Listing) -> None:
        """Constants are there, and nothing else."""
        self.listing = listing
        self.regions = {region.name: region for region in listing.regions}
        self.shadows = {memory: Shadow() for memory in MemoryId}
        self.traffic = Traffic()
        self.op = "the start"
        self._given: list[deque[TransferStart | JobStart]] = [deque() for _ in UNITS]
        self._numbers = [0 for _ in UNITS]
        self._dma_bytes_max = listing.target.dma.transfer_bytes_max
        for region in listing.regions:
            if region.kind in CONSTANTS:
                self.shadows[region.memory].write(
                    region.offset_bytes,
                    region.offset_bytes + region.size_bytes,
                    region.name,
                    region.offset_bytes,
                )

    def run(self, event: Event) -> None:
        """One event."""
        match event:
            case TransferStart():
                self._transfer(event)
            case TransferWait(queue=queue, number=number):
                self._wait(queue, number)
            case Touch():
                self._touch(event)
            case Barrier():
                self.traffic.barrier()
            case JobStart():
                self._job(event)
            case JobWait(number=number):
                self._wait(ENGINE, number)
            case SlotFree(slot=slot):
                self._free(event, slot)
            case OpStart():
                self._call(event)
            case StepStart():
                self._step(event)
            case _:
                assert_never(event)

    def _call(self, event: OpStart) -> None:
        self.op = f"{event.kernel} {event.name}"
        if event.scratch is not None:
            region = self.regions[event.scratch]
            end = region.offset_bytes + region.size_bytes
            self.shadows[region.memory].forget(region.offset_bytes, end)

    def _free(self, event: SlotFree, slot: Extent) -> None:
        """What is in the slot may not be read any more, and nobody is reading it."""
        self.traffic.start(AT_ONCE, [use_of((self.op, event), slot, is_write=True)])
        self.traffic.drop(AT_ONCE)
        end = slot.offset_bytes + slot.size_bytes
        self.shadows[slot.memory].forget(slot.offset_bytes, end)

    def end(self) -> None:
        """Nothing may be left running."""
        left = [name for name, given in zip(UNITS, self._given, strict=True) if given]
        require(not left, Rule.STARTED, self.op, f"{', '.join(left)} not awaited")

    def _step(self, step: StepStart) -> None:
        """Positions before the step are cached, later ones are not."""
        self.end()
        context = self.listing.graph.context
        for cache in self.listing.graph.caches:
            region = self.regions[cache.name]
            shadow, start = self.shadows[region.memory], region.offset_bytes
            shadow.forget(start, start + region.size_bytes)
            row_bytes = cache_row_bytes(cache)
            scales = start + cache_codes_bytes(cache.heads * context, row_bytes)
            for head in range(cache.heads if step.position else 0):
                row = head * context
                for base, width in ((start, row_bytes), (scales, 4)):
                    first = base + row * width
                    last = first + step.position * width
                    shadow.write(first, last, cache.name, start)

    def _touch(self, event: Touch) -> None:
        what = (self.op, event)
        uses = [use_of(what, access, is_write=False) for access in event.reads]
        uses += [use_of(what, access, is_write=True) for access in event.writes]
        for access in event.reads:
            self._check_inside(access, access.end_bytes)
            self._check_reach(what, access, ADDRESSED)
        for access in event.writes:
            self._check_inside(access, access.end_bytes)
            self._check_reach(what, access, ADDRESSED - {MemoryId.MRAM})
            self._check_writable(what, access)
        self.traffic.touch(uses)
        for access in event.reads:
            self._check_landed(what, access)
        for access in event.writes:
            self._write(access)

    def _transfer(self, event: TransferStart) -> None:
        source, target = event.source, event.target
        what = (self.op, event)
        self._check_number(event.queue, event.number, TRANSFERS_MAX)
        for place in (source, target):
            self._check_inside(place, place.end_bytes)
        self._check_writable(what, target)
        self._check_queue(what, event)
        uses = [use_of(what, source, is_write=False), use_of(what, target, is_write=True)]
        self.traffic.start((event.queue, event.number), uses)
        self._given[event.queue].append(event)

    def _check_queue(self, what: Who, event: TransferStart) -> None:
        """The unit behind a queue reaches both memories."""
        source, target = event.source.memory, event.target.memory
        match event.queue:
            case Queue.DMA:
                ends = {source, target}
                is_right = MemoryId.L1 in ends and len(ends & ON_CHIP) == 1
                is_right &= event.source.total_bytes <= self._dma_bytes_max
                inner = event.target if target is MemoryId.L1 else event.source
                is_right &= inner.count == 1
            case Queue.OFF_CHIP:
                is_right = (source is MemoryId.L3) is not (target is MemoryId.L3)
            case Queue.PAGES:
                is_right = source is MemoryId.L3 and target is MemoryId.SRAM
            case _:
                assert_never(event.queue)
        if event.queue is not Queue.DMA:
            is_right &= event.source.count == event.target.count == 1
        is_right &= event.source.total_bytes == event.target.total_bytes
        if not is_right or target is MemoryId.MRAM:
            sizes = f"{event.source.total_bytes} bytes, {event.target.total_bytes} there"
            way = f"from {source.name} to {target.name}"
            raise refusal(Rule.REACH, told(what), f"{sizes}, {way}")

    def _job(self, event: JobStart) -> None:
        what = (self.op, event)
        self._check_number(ENGINE, event.number, JOBS_MAX)
        for access in (event.weights, event.inputs, event.outputs):
            self._check_inside(access, access.end_bytes)
        self._check_reach(what, event.weights, WEIGHT_MEMORY)
        self._check_reach(what, event.inputs, {MemoryId.L1})
        self._check_reach(what, event.outputs, {MemoryId.L1})
        uses = [use_of(what, event.weights, is_write=False)]
        uses.append(use_of(what, event.inputs, is_write=False))
        uses.append(use_of(what, event.outputs, is_write=True))
        self.traffic.start((ENGINE, event.number), uses)
        self._check_landed(what, event.weights)
        self._check_landed(what, event.inputs)
        self._given[ENGINE].append(event)

    def _check_number(self, unit: int, number: int, room: int) -> None:
        """Numbers count on, and the queue has room."""
        last, count = self._numbers[unit], len(self._given[unit])
        if number != last + 1:
            raise refusal(Rule.STARTED, self.op, f"{UNITS[unit]} {number} after {last}")
        if count >= room:
            raise refusal(Rule.ROOM, self.op, f"{UNITS[unit]} {number} behind {count}")
        self._numbers[unit] = number

    def _wait(self, unit: int, number: int) -> None:
        """That one and all before it in the queue are done."""
        last, given = self._numbers[unit], self._given[unit]
        if number > last:
            raise refusal(Rule.STARTED, self.op, f"waits for {UNITS[unit]} {number} of {last}")
        while given and given[0].number <= number:
            event = given.popleft()
            self.traffic.finish((unit, event.number))
            if isinstance(event, JobStart):
                self._write(event.outputs)
            else:
                self._copy(event.source, event.target)

    def _copy(self, source: Extent, target: Extent) -> None:
        """Run by run; an end without runs has them one after the other."""
        size = min(source.size_bytes, target.size_bytes)
        steps = [end.stride_bytes if end.count > 1 else size for end in (source, target)]
        for run in range(source.total_bytes // size):
            start = source.offset_bytes + run * steps[0]
            move = target.offset_bytes + run * steps[1] - start
            self._copy_run(source.memory, target.memory, (start, start + size), move)

    def _copy_run(
        self, source: MemoryId, target: MemoryId, run: tuple[int, int], move: int
    ) -> None:
        shadow, (start, stop) = self.shadows[target], run
        pieces = list(self.shadows[source].within(start, stop))
        if len(pieces) != 1 or pieces[0][:2] != run:
            shadow.forget(start + move, stop + move)
        for first, last, content, shift in pieces:
            shadow.write(first + move, last + move, content, shift + move)

    def _write(self, access: Access) -> None:
        shadow, shift = self.shadows[access.memory], access.offset_bytes - access.at_bytes
        for run in range(access.count):
            start = access.offset_bytes + run * access.stride_bytes
            moved = shift + run * (access.stride_bytes - access.step_bytes)
            shadow.write(start, start + access.size_bytes, access.content, moved)

    def _check_landed(self, what: Who, access: Access) -> None:
        shadow, shift = self.shadows[access.memory], access.offset_bytes - access.at_bytes
        for run in range(access.count):
            start = access.offset_bytes + run * access.stride_bytes
            stop = start + access.size_bytes
            moved = shift + run * (access.stride_bytes - access.step_bytes)
            if not shadow.holds(start, stop, access.content, moved):
                raise refusal(
                    Rule.LANDED,
                    told(what),
                    f"{access.memory.name} {start} to {stop} of {access.region} should hold bytes"
                    f" {start - moved} to {stop - moved} of {access.content}, holds"
                    f" {shadow.describe(start, stop)}",
                )

    def _check_inside(self, place: Access | Extent, end_bytes: int) -> None:
        region = self.regions[place.region]
        last = region.offset_bytes + region.size_bytes
        if not (
            region.offset_bytes <= place.offset_bytes < end_bytes <= last
            and place.size_bytes > 0
            and place.memory is region.memory
        ):
            raise refusal(
                Rule.INSIDE,
                f"{self.op}, {place.region}",
                f"{place.offset_bytes} to {end_bytes} of {place.memory.name}, the region is"
                f" {region.offset_bytes} to {last} of {region.memory.name}",
            )

    def _check_writable(self, what: Who, place: Access | Extent) -> None:
        if self.regions[place.region].kind in CONSTANTS:
            raise refusal(Rule.REACH, told(what), f"writes into {place.region}")

    def _check_reach(self, what: Who, access: Access, memories: set[MemoryId]) -> None:
        if access.memory not in memories:
            lies = f"{access.region} lies in {access.memory.name}"
            raise refusal(Rule.REACH, told(what), lies)
