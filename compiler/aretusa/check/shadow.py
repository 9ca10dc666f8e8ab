"""Shadow: what every byte of a memory holds, as intervals of contents."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Shadow:
    """Intervals in order of address.

    An interval of content c and shift s holds, at address a, byte a - s of c; neighbours that go on
    with the same content are one interval.
    """

    def __init__(self) -> None:
        """Nothing is known."""
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._holds: list[tuple[str, int]] = []

    def holds(self, start: int, stop: int, content: str, shift: int) -> bool:
        """Whether bytes start .. stop - 1 are the right ones."""
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and stop <= self._stops[at] and self._holds[at] == (content, shift)

    def within(self, start: int, stop: int) -> Iterator[tuple[int, int, str, int]]:
        """What is known of bytes start .. stop - 1: start, stop, content, shift of each piece."""
        at = max(0, bisect_right(self._starts, start) - 1)
        while at < len(self._starts) and self._starts[at] < stop:
            first, last = max(start, self._starts[at]), min(stop, self._stops[at])
            if first < last:
                yield first, last, *self._holds[at]
            at += 1

    def write(self, start: int, stop: int, content: str, shift: int) -> None:
        """Bytes start .. stop - 1 hold that content from here on."""
        self._replace(start, stop, (content, shift))

    def forget(self, start: int, stop: int) -> None:
        """Bytes start .. stop - 1 hold nothing that may be read."""
        self._replace(start, stop, None)

    def describe(self, start: int, stop: int) -> str:
        """What is there, for people."""
        found = [
            f"bytes {first - shift} to {last - shift} of {content}"
            for first, last, content, shift in self.within(start, stop)
        ]
        return ", ".join(found[:3]) or "nothing"

    def _replace(self, start: int, stop: int, hold: tuple[str, int] | None) -> None:
        starts, stops, holds = self._starts, self._stops, self._holds
        first = bisect_right(starts, start) - 1
        if first < 0 or stops[first] <= start:
            first += 1
        last = first  # one past the intervals that are touched
        count = len(starts)
        while last < count and starts[last] < stop:
            last += 1
        pieces: list[tuple[int, int, tuple[str, int]]] = []
        if first < last and starts[first] < start:
            pieces.append((starts[first], start, holds[first]))
        if hold is not None:
            pieces.append((start, stop, hold))
        if first < last and stop < stops[last - 1]:
            pieces.append((stop, stops[last - 1], holds[last - 1]))
        if first > 0 and stops[first - 1] == start:
            first -= 1
            pieces.insert(0, (starts[first], stops[first], holds[first]))
        if last < count and starts[last] == stop:
            pieces.append((starts[last], stops[last], holds[last]))
            last += 1
        pieces = _joined(pieces)
        starts[first:last] = [piece[0] for piece in pieces]
        stops[first:last] = [piece[1] for piece in pieces]
        holds[first:last] = [piece[2] for piece in pieces]


def _joined(
    pieces: list[tuple[int, int, tuple[str, int]]],
) -> list[tuple[int, int, tuple[str, int]]]:
    """Neighbours with one content as one piece."""
    joined: list[tuple[int, int, tuple[str, int]]] = []
    for piece in pieces:
        if joined and joined[-1][1] == piece[0] and joined[-1][2] == piece[2]:
            joined[-1] = (joined[-1][0], piece[1], piece[2])
        else:
            joined.append(piece)
    return joined
