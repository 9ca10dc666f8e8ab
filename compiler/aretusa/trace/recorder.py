"""Recorder: collects events, and waits for room in the queues as the runtime does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aretusa.target.description import MemoryId
from aretusa.trace.event import (
    JOBS_MAX,
    TRANSFERS_MAX,
    Access,
    Barrier,
    Event,
    Extent,
    JobStart,
    JobWait,
    Queue,
    Touch,
    TransferStart,
    TransferWait,
)

if TYPE_CHECKING:
    from aretusa.memory.plan import Region
    from aretusa.neureka.registers import Mode

BARRIER = Barrier()


class Recorder:
    """The events of a program so far, and what core 0 knows of the queues."""

    def __init__(self, regions: dict[str, Region]) -> None:
        """Nothing has happened yet."""
        self.events: list[Event] = []
        self.regions = regions
        self._given = dict.fromkeys(Queue, 0)
        self._done = dict.fromkeys(Queue, 0)
        self._jobs_given = 0
        self._jobs_done = 0

    def extent(
        self, region: str, at_bytes: int, size_bytes: int, *, count: int = 1, stride: int = 0
    ) -> Extent:
        """Bytes of a region, counted from its first one; or runs of them."""
        place = self.regions[region]
        return Extent(
            region, place.memory, place.offset_bytes + at_bytes, size_bytes, count, stride
        )

    def access(
        self,
        region: str,
        at_bytes: int,
        size_bytes: int,
        content: str,
        content_at: int = 0,
        *,
        count: int = 1,
        stride: int = 0,
        step: int = 0,
    ) -> Access:
        """The same with what they hold."""
        place = self.regions[region]
        offset = place.offset_bytes + at_bytes
        return Access(
            region, place.memory, offset, size_bytes, content, content_at, count, stride, step
        )

    def constant(self, region: str, at_bytes: int, size_bytes: int) -> Access:
        """Bytes of a constant where it lies."""
        return self.access(region, at_bytes, size_bytes, region, at_bytes)

    def transfer(self, queue: Queue, source: Extent, target: Extent) -> int:
        """Give a transfer; waits for room. Returns its number."""
        number = self._given[queue] + 1
        if number - self._done[queue] > TRANSFERS_MAX:
            self.wait(queue, number - TRANSFERS_MAX)
        self._given[queue] = number
        self.events.append(TransferStart(queue, number, source, target))
        return number

    def wait(self, queue: Queue, number: int) -> None:
        """Wait for a transfer and all before it."""
        self.events.append(TransferWait(queue, number))
        self._done[queue] = max(self._done[queue], number)

    def job(
        self,
        mode: Mode,
        bits: int,
        channels: tuple[int, int],
        pixels: tuple[int, int],
        *,
        weights: Access,
        inputs: Access,
        outputs: Access,
    ) -> int:
        """Give a job with (in, out) channels and (rows, columns) of results; waits for room."""
        number = self._jobs_given + 1
        if number - self._jobs_done > JOBS_MAX:
            self.wait_job(number - JOBS_MAX)
        self._jobs_given = number
        self.events.append(
            JobStart(number, mode, bits, *channels, *pixels, weights, inputs, outputs)
        )
        return number

    def wait_job(self, number: int) -> None:
        """Wait for a job and all before it."""
        self.events.append(JobWait(number))
        self._jobs_done = max(self._jobs_done, number)

    def barrier(self) -> None:
        """All cores meet."""
        self.events.append(BARRIER)

    def touch(  # noqa: PLR0917 - phase, reads, writes, how much
        self,
        phase: str,
        reads: list[Access],
        writes: list[Access],
        tokens: int,
        rows: int,
        depth: int,
    ) -> None:
        """All cores do a phase of a kernel."""
        self.events.append(Touch(phase, tuple(reads), tuple(writes), tokens, rows, depth))


def queue_of(source: MemoryId, target: MemoryId) -> Queue:
    """The queue of a transfer that a kernel waits for: art_transfer_queue."""
    return Queue.OFF_CHIP if MemoryId.L3 in {source, target} else Queue.DMA


class Copies:
    """Transfers that a kernel gives and awaits as a group: struct art_copies."""

    def __init__(self, recorder: Recorder) -> None:
        """Nothing given yet."""
        self.recorder = recorder
        self.last: dict[Queue, int] = {}

    def give(self, source: Extent, target: Extent) -> None:
        """Give one."""
        queue = queue_of(source.memory, target.memory)
        self.last[queue] = self.recorder.transfer(queue, source, target)

    def give_rows(self, source: Extent, target: Extent) -> None:
        """Give rows: one transfer where MCHAN finds them one after the other in L1."""
        inner = target if target.memory is MemoryId.L1 else source
        is_dma = queue_of(source.memory, target.memory) is Queue.DMA
        if is_dma and inner.count > 1 and inner.stride_bytes == inner.size_bytes:
            whole = replace(inner, size_bytes=inner.total_bytes, count=1, stride_bytes=0)
            self.give(*((source, whole) if inner is target else (whole, target)))
            return
        for ends in zip(source.runs(), target.runs(), strict=True):
            self.give(*ends)

    def wait(self) -> None:
        """Wait for all of them."""
        for queue in sorted(self.last):
            self.recorder.wait(queue, self.last[queue])
