"""Traffic: which bytes are being read or written by what is not known to be over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.check.rules import Rule, refusal
from aretusa.trace.event import JobStart, SlotFree, Touch, TransferStart

if TYPE_CHECKING:
    from aretusa.target.description import MemoryId
    from aretusa.trace.event import Access, Extent


Who = tuple[str, object]  # the op, and what of it


def told(who: Who) -> str:
    """Who, for people."""
    op, what = who
    match what:
        case TransferStart(queue=queue, number=number):
            return f"{op}, transfer {number} of {queue.name}"
        case JobStart(number=number):
            return f"{op}, job {number}"
        case SlotFree():
            return f"{op}, a slot given back"
        case Touch(phase=phase):
            return f"{op}, {phase}"
        case _:
            return f"{op}, {what}"


@dataclass(slots=True)
class Use:
    """Bytes start .. stop - 1 of a memory, in `count` runs that are `stride` apart.

    `is_over` once core 0 has waited for it; the other cores learn that at the next barrier.
    """

    what: Who
    memory: MemoryId
    start: int
    stop: int
    is_write: bool
    run: int = 0
    stride: int = 0
    is_over: bool = False

    def meets(self, other: Use) -> bool:
        """Whether both touch one byte."""
        if self.start >= other.stop or other.start >= self.stop:
            return False
        if self.run == other.run == 0:
            return True
        return any(
            start < stop_other and start_other < stop
            for start, stop in self._runs()
            for start_other, stop_other in other._runs()
        )

    def _runs(self) -> list[tuple[int, int]]:
        if not self.run:
            return [(self.start, self.stop)]
        starts = range(self.start, self.stop - self.run + 1, self.stride)
        return [(start, start + self.run) for start in starts]


def use_of(what: Who, place: Access | Extent, *, is_write: bool) -> Use:
    """The bytes of an access."""
    start, size = place.offset_bytes, place.size_bytes
    if place.count == 1:
        return Use(what, place.memory, start, start + size, is_write)
    return Use(what, place.memory, start, place.end_bytes, is_write, size, place.stride_bytes)


class Traffic:
    """What runs beside the cores, and what the cores do until the next barrier."""

    def __init__(self) -> None:
        """Nothing runs."""
        self.beside: dict[tuple[int, int], list[Use]] = {}
        self._over: list[Use] = []  # since the last barrier
        self._cores: list[Use] = []

    def start(self, key: tuple[int, int], uses: list[Use]) -> None:
        """Core 0 starts a transfer or a job: nothing unfinished, and no core, is in its way."""
        for use in uses:
            for others in self.beside.values():
                _check(use, others)
            _check(use, self._cores)
        self.beside[key] = uses

    def finish(self, key: tuple[int, int]) -> None:
        """Core 0 has waited for it."""
        self._over += self.beside.pop(key)

    def drop(self, key: tuple[int, int]) -> None:
        """It never ran."""
        del self.beside[key]

    def touch(self, uses: list[Use]) -> None:
        """All cores work: what core 0 alone knows to be over may still run for the others."""
        for use in uses:
            for others in self.beside.values():
                _check(use, others)
            _check(use, self._over)
            _check(use, self._cores)
        self._cores += uses

    def barrier(self) -> None:
        """What was over is over for everybody."""
        self._over.clear()
        self._cores.clear()


def _check(use: Use, others: list[Use]) -> None:
    for other in others:
        if (
            other.memory is use.memory
            and (use.is_write or other.is_write)
            and use.start < other.stop
            and other.start < use.stop
            and use.meets(other)
        ):
            does = "writes" if use.is_write else "reads"
            done = "writes" if other.is_write else "reads"
            raise refusal(
                Rule.BUSY,
                told(use.what),
                f"{does} {use.start} to {use.stop} of {use.memory.name} while {told(other.what)}"
                f" {done} {other.start} to {other.stop}",
            )
