"""Simulator: steps of a program on a timeline, and where the cycles of each op went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aretusa_sim.activity import Activity
from aretusa_sim.core_work import CoreWork
from aretusa_sim.durations import Durations
from aretusa_sim.engine import Timeline
from aretusa_sim.lowering import Lowering
from aretusa_sim.player import Player
from aretusa_sim.steps import StepCoder

if TYPE_CHECKING:
    from aretusa.trace.listing import Listing
    from aretusa_sim.engine import Interval


@dataclass(slots=True)
class RowTiming:
    """One op of one step: `cycles` of core 0 are the sum of the others but `activity`.

    The activity of a step may be that of the code: it is read, and added to others.
    """

    cycles: int = 0
    working: int = 0
    giving: int = 0
    at_barriers: int = 0
    stalls: list[int] = field(default_factory=lambda: [0, 0, 0])
    activity: Activity = field(default_factory=Activity)

    def add(self, other: RowTiming) -> None:
        """Both together."""
        self.cycles += other.cycles
        self.working += other.working
        self.giving += other.giving
        self.at_barriers += other.at_barriers
        for cause, cycles in enumerate(other.stalls):
            self.stalls[cause] += cycles
        self.activity.add(other.activity)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTiming:
    """A step of `tokens` new tokens from `position` on; rows as StepCoder counts them."""

    tokens: int
    position: int
    start: int
    end: int
    rows: list[RowTiming]
    busy: tuple[int, ...]  # of each unit
    starts: tuple[tuple[int, int], ...] = ()  # time and row of each op, with intervals
    intervals: tuple[Interval, ...] = ()  # of all units, where they were asked for

    @property
    def cycles(self) -> int:
        """Of core 0, from the first op to the choice of a token."""
        return self.end - self.start


class Simulator:
    """A program whose steps follow each other; only time and caches pass from one to the next."""

    def __init__(
        self, listing: Listing, *, has_contention: bool = True, has_intervals: bool = False
    ) -> None:
        """At time 0."""
        durations = Durations(listing.target)
        core_work = CoreWork(listing.target, has_contention)
        self.listing = listing
        self.coder = StepCoder(listing, Lowering(durations, core_work))
        self.timeline = Timeline(durations.costs, has_intervals=has_intervals)
        self.player = Player(self.timeline)

    def step(self, tokens: int, position: int, *, has_head: bool) -> StepTiming:
        """The next step."""
        code = self.coder.step(tokens, position, has_head=has_head)
        timeline = self.timeline
        rows = [RowTiming() for _ in range(self.coder.row_count)]
        activities: dict[int, Activity] = {}
        start, busy = timeline.now, list(timeline.busy)
        starts: list[tuple[int, int]] = []
        for first, part in code:
            self.player.settle()  # labels are counted from the row
            timeline.first_row = first
            for segment in part.segments:
                before = _counters(timeline)
                if timeline.intervals is not None:
                    starts.append((timeline.now, first + segment.row))
                for block in segment.blocks:
                    self.player.play(block)
                _add(rows[first + segment.row], before, _counters(timeline))
                for row, activity in segment.activity.items():
                    known = activities.get(first + row)
                    activities[first + row] = activity if known is None else known.plus(activity)
        self.player.settle()
        timeline.finish()
        for index, activity in activities.items():
            rows[index].activity = activity
        spent = (now - then for now, then in zip(timeline.busy, busy, strict=True))
        return StepTiming(
            tokens=tokens,
            position=position,
            start=start,
            end=timeline.now,
            rows=rows,
            busy=tuple(spent),
            starts=tuple(starts),
            intervals=timeline.take_intervals(),
        )


def _counters(timeline: Timeline) -> tuple[int, ...]:
    counts = (timeline.now, timeline.working, timeline.giving, timeline.at_barriers)
    return (*counts, *timeline.stalls)


def _add(row: RowTiming, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    row.cycles += after[0] - before[0]
    row.working += after[1] - before[1]
    row.giving += after[2] - before[2]
    row.at_barriers += after[3] - before[3]
    stalls = row.stalls
    for cause in range(len(stalls)):
        stalls[cause] += after[4 + cause] - before[4 + cause]
