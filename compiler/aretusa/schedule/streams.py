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
    """A weight of which so many rows pass through a ring, `load_rows` in a slot."""

    weight: str
    rows: int
    load_rows: int


@dataclass(frozen=True, slots=True)
class Load:
    """Rows first .. first + rows - 1 of a weight, in one slot."""

    weight: str
    first: int
    rows: int


def loads(streamed: Iterable[Streamed]) -> Iterator[Load]:
    """The loads of all weights, in the order of use."""
    for weight in streamed:
        first = 0
        while first < weight.rows:
            rows = min(weight.load_rows, weight.rows - first)
            if rows <= 0:
                raise StreamError(f"no row of {weight.weight} fits a slot")
            yield Load(weight.weight, first, rows)
            first += rows


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
