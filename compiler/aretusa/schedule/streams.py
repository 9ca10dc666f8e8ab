"""Pass: which rows of which weight go to which slot of a ring, and when.

The twin of the sequence in runtime/src/transfer/stream.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class StreamError(Exception):
    """What ends the compiled program: a load that never comes, or a slot that is not free."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """A weight of which so many rows pass through a ring, `load_rows` in a slot.

    `period` is that of `next_load`.
    """

    weight: str
    rows: int
    load_rows: int
    period: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """Rows first .. first + rows - 1 of a weight, in one slot."""

    weight: str
    first: int
    rows: int


def period_of(slots: int) -> int:
    """Loads after which slots, and buffers used in turns, are what they were."""
    return slots if slots % 2 == 0 else 2 * slots


def next_load(index: int, count: int, period: int) -> int:
    """The load told after one of `count`; with a period, some in the middle are left out.

    What is left out is a whole number of periods behind the first two, and at least one period
    follows. A load differs from the one a period before only in the rows it names, and its
    addresses are even steps between those of the first and the last: what goes wrong between goes
    wrong at the ends.
    """
    following = index + 1
    if period and following == 2 * period:
        following += max(0, count // period - 3) * period
    return following


def loads(streamed: Iterable[Streamed]) -> Iterator[Load]:
    """The loads of all weights, in the order of use."""
    for weight in streamed:
        for first, rows, _ in cuts(weight):
            yield Load(weight.weight, first, rows)


def cuts(weight: Streamed) -> Iterator[tuple[int, int, int]]:
    """First row and rows of each load, and the row that the next one starts at."""
    if weight.load_rows <= 0 < weight.rows:
        raise StreamError(f"no row of {weight.weight} fits a slot")
    count = -(-weight.rows // max(1, weight.load_rows))
    index = 0
    while index < count:
        following = next_load(index, count, weight.period)
        first, last = index * weight.load_rows, min(following * weight.load_rows, weight.rows)
        yield first, min(weight.load_rows, weight.rows - first), last
        index = following


class Pass:
    """One pass over the layers: load n goes to slot n % slots as soon as that is free."""

    def __init__(self, slots: int, streamed: Iterable[Streamed]) -> None:
        """Nothing is given before `fill`."""
        self.slots = slots
        self._left = loads(streamed)
        self.given = 0
        self.awaited = 0
        self.released = 0

    @property
    def is_over(self) -> bool:
        """Whether every load that was given has been released."""
        return self.given == self.released

    def fill(self) -> Iterator[tuple[int, Load]]:
        """Loads to give, each with its slot, as long as slots are free."""
        while self.given - self.released < self.slots:
            load = next(self._left, None)
            if load is None:
                return
            yield self.given % self.slots, load
            self.given += 1

    def take(self) -> int:
        """The slot of the next load to wait for."""
        if self.awaited == self.given:
            raise StreamError("a load is awaited that was never given")
        slot = self.awaited % self.slots
        self.awaited += 1
        return slot

    def release(self) -> int:
        """The slot awaited first is free; returns it."""
        if self.released == self.awaited:
            raise StreamError("a slot is released that was not awaited")
        slot = self.released % self.slots
        self.released += 1
        return slot
