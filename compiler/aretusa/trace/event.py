"""Events: what the compiled program does to its memories, in the order of core 0.

Between two barriers the cores run beside each other, so that only a barrier, or core 0's own wait
for a transfer or a job, puts one event before another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.neureka.registers import Mode
    from aretusa.target.description import MemoryId


class Queue(IntEnum):
    """Of transfers, numbered as in runtime/include/aretusa/transfer.h."""

    DMA = 0  # between L1 and another memory on the chip
    OFF_CHIP = 1  # from or to L3, what the next kernel waits for
    PAGES = 2  # from L3 to the SRAM, behind everything else


TRANSFERS_MAX = 16  # that a queue holds: ART_TRANSFER_QUEUE
JOBS_MAX = 2  # that N-EUREKA holds: ART_ENGINE_QUEUE


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes of a region, in `count` runs of `size_bytes` that are `stride_bytes` apart.

    `offset_bytes` is from the first byte of the memory.
    """

    region: str
    memory: MemoryId
    offset_bytes: int
    size_bytes: int
    count: int = 1
    stride_bytes: int = 0

    @property
    def end_bytes(self) -> int:
        """The byte after the last run."""
        return self.offset_bytes + (self.count - 1) * self.stride_bytes + self.size_bytes

    @property
    def total_bytes(self) -> int:
        """Of all runs."""
        return self.count * self.size_bytes

    def runs(self) -> Iterator[Extent]:
        """Each run by itself."""
        for index in range(self.count):
            at = self.offset_bytes + index * self.stride_bytes
            yield Extent(self.region, self.memory, at, self.size_bytes)


@dataclass(frozen=True, slots=True)
class Access:
    """What is read or written: `count` runs of bytes, and what they hold.

    Run i starts `i * stride_bytes` further on and holds the bytes of `content` from `at_bytes +
    i * step_bytes` on. A content is a region of constants or a cache, counted from its first byte,
    a value of the graph in a step, or what a kernel keeps in its scratch.
    """

    region: str
    memory: MemoryId
    offset_bytes: int
    size_bytes: int
    content: str
    at_bytes: int = 0
    count: int = 1
    stride_bytes: int = 0
    step_bytes: int = 0

    @property
    def end_bytes(self) -> int:
        """The byte after the last run."""
        return self.offset_bytes + (self.count - 1) * self.stride_bytes + self.size_bytes


@dataclass(frozen=True, slots=True)
class StepStart:
    """A step of `tokens` new tokens from `position` on; what was cached before is there."""

    name: str
    tokens: int
    position: int


@dataclass(frozen=True, slots=True)
class OpStart:
    """An op's kernel is called, with nothing in its scratch; `layer` is None outside the layers."""

    name: str
    kernel: str
    layer: int | None
    scratch: str | None


@dataclass(frozen=True, slots=True)
class TransferStart:
    """Core 0 gives a transfer; numbers count from 1 in each queue, which runs in order.

    Of MCHAN's transfers the end outside of L1 may be runs, which follow one another in L1.
    """

    queue: Queue
    number: int
    source: Extent
    target: Extent


@dataclass(frozen=True, slots=True)
class TransferWait:
    """Core 0 waits until that transfer, and all before it in its queue, are done."""

    queue: Queue
    number: int


@dataclass(frozen=True, slots=True)
class SlotFree:
    """Core 0 gives a slot of a ring back: nobody reads it any more."""

    slot: Extent


@dataclass(frozen=True, slots=True)
class JobStart:
    """Core 0 gives N-EUREKA a job; jobs run in order, numbers count from 1."""

    number: int
    mode: Mode
    bits: int
    in_channels: int
    out_channels: int
    out_rows: int
    out_cols: int
    weights: Access
    inputs: Access
    outputs: Access


@dataclass(frozen=True, slots=True)
class JobWait:
    """Core 0 waits until that job, and all before it, are done."""

    number: int


@dataclass(frozen=True, slots=True)
class Touch:
    """All cores do a phase of a kernel, each a share; `rows` x `depth` x `tokens` tells how much.

    What the cores read and write in one event overlaps only where a core uses its own bytes.
    """

    phase: str
    reads: tuple[Access, ...]
    writes: tuple[Access, ...]
    tokens: int
    rows: int
    depth: int


@dataclass(frozen=True, slots=True)
class Barrier:
    """Every core waits for all others."""


Event = (
    StepStart
    | OpStart
    | TransferStart
    | TransferWait
    | SlotFree
    | JobStart
    | JobWait
    | Touch
    | Barrier
)
