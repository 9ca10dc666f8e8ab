"""Player: runs blocks of instructions, and remembers what long ones did.

A block does the same again if all units are in the same state, counted from the time at which it
begins: what follows from it depends on nothing else. So a loop over tiles that has become steady is
played from memory, in every cycle as if it were run; and equal layers are too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa_sim.code import play

if TYPE_CHECKING:
    from aretusa_sim.code import Block
    from aretusa_sim.engine import Frozen, Timeline

LEAST: Final = 64  # instructions of a block that is worth remembering
MOST: Final = 20_000  # blocks that are remembered


@dataclass(frozen=True, slots=True)
class _Past:
    """What a block did to the counters, to the numbers of queues, and to the units."""

    counters: tuple[int, ...]
    given: tuple[int, ...]
    after: Frozen


class Player:
    """Plays blocks on one timeline.

    What a remembered block leaves behind is not put into the units as long as the next block is
    remembered, too: `settle` does that before anything else looks at them.
    """

    def __init__(self, timeline: Timeline, *, remembers: bool = True) -> None:
        """Nothing played yet; a timeline that keeps intervals runs everything."""
        self.timeline = timeline
        self.remembers = remembers and timeline.intervals is None
        self._known: dict[tuple[int, Frozen], _Past] = {}
        self._kept: list[Block] = []  # so that no other block gets their identity
        self._state: Frozen | None = None  # of the units, where it is not in them

    def settle(self) -> None:
        """Put the state into the units."""
        if self._state is not None:
            self.timeline.thaw(self._state)
            self._state = None

    def play(self, block: Block) -> None:
        """Run a block, or do what it did before."""
        timeline = self.timeline
        if not self.remembers or len(block) < LEAST:
            self.settle()
            play(timeline, block)
            return
        key = (id(block), timeline.freeze() if self._state is None else self._state)
        past = self._known.get(key)
        if past is not None:
            timeline.advance(past.counters, past.given)
            self._state = past.after
            return
        self.settle()
        counters, given = timeline.counters(), timeline.given()
        play(timeline, block)
        if len(self._known) < MOST:
            self._kept.append(block)
            self._known[key] = _Past(
                _less(timeline.counters(), counters),
                _less(timeline.given(), given),
                timeline.freeze(),
            )


def _less(after: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(new - old for new, old in zip(after, before, strict=True))
