"""Code: events as compact instructions for the timeline, with rows instead of names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa_sim.activity import Activity
    from aretusa_sim.engine import Stages, Timeline

WORK: Final = 0  # cycles, -, label
BARRIER: Final = 1
GIVE: Final = 2  # queue, stages, label
WAIT: Final = 3  # queue, -, tasks given after the one that is awaited

Instruction = tuple[int, int, "Stages", int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What runs between two starts of ops.

    Rows and labels are counted from the first op of the part, so that equal layers share their
    code. `activity` is that of what is given and done here, by the row that it is for.
    """

    row: int
    instructions: tuple[Instruction, ...]
    activity: Mapping[int, Activity]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCode:
    """A part of the program; `attention` are numbers of segments that depend on the position."""

    segments: tuple[Segment, ...]
    attention: tuple[int, ...] = ()


def play(timeline: Timeline, instructions: tuple[Instruction, ...]) -> None:
    """Run instructions on a timeline."""
    work, barrier, give, wait = timeline.work, timeline.barrier, timeline.give, timeline.wait
    for code, number, stages, label in instructions:
        if code == WORK:
            work(number, label)
        elif code == BARRIER:
            barrier()
        elif code == GIVE:
            give(number, stages, label)
        else:
            wait(number, label)
