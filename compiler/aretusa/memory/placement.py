"""Give buffers addresses inside one memory; buffers alive at the same time never share a byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ALIGN_BYTES: Final = 32  # one beat of the 256-bit weight port and of N-EUREKA's L1 port


@dataclass(frozen=True, slots=True)
class Buffer:
    """A block of bytes that is alive from step `first` to step `last`, both included."""

    name: str
    size_bytes: int
    first: int
    last: int
    needs_l1: bool = False  # transfers, N-EUREKA or inner loops work on it
    touches: int = 1  # ops that read or write it

    def overlaps(self, other: Buffer) -> bool:
        """Whether both are alive at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Slot:
    """A buffer and where it starts, relative to the arena."""

    buffer: Buffer
    offset_bytes: int

    @property
    def end_bytes(self) -> int:
        """First byte after the buffer."""
        return self.offset_bytes + self.buffer.size_bytes


def align(offset_bytes: int) -> int:
    """The next multiple of ALIGN_BYTES."""
    return -(-offset_bytes // ALIGN_BYTES) * ALIGN_BYTES


def place(
    buffers: Sequence[Buffer], capacity_bytes: int, fixed: Sequence[Slot] = ()
) -> tuple[list[Slot], list[Buffer]]:
    """First fit in order of falling size, around `fixed` slots, which come first in the result.

    Returns the slots and the buffers that found no room.
    """
    slots: list[Slot] = list(fixed)
    homeless: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda b: (-b.size_bytes, b.first, b.name)):
        offset = _first_gap(buffer, slots)
        if offset + buffer.size_bytes <= capacity_bytes:
            slots.append(Slot(buffer, offset))
        else:
            homeless.append(buffer)
    return slots, homeless


def peak_bytes(slots: Iterable[Slot]) -> int:
    """Bytes of the arena that are used at all."""
    return max((slot.end_bytes for slot in slots), default=0)


def _first_gap(buffer: Buffer, slots: Iterable[Slot]) -> int:
    neighbours = sorted(
        (slot for slot in slots if slot.buffer.overlaps(buffer)), key=lambda s: s.offset_bytes
    )
    offset = 0
    for slot in neighbours:
        if offset + buffer.size_bytes <= slot.offset_bytes:
            break
        offset = max(offset, align(slot.end_bytes))
    return offset
