"""Code: events as compact instructions for the timeline, with rows instead of names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa.cost.code_cache import Cached
    from aretusa_sim.activity import Activity
    from aretusa_sim.engine import Stages, Timeline

WORK: Final = 0  # cycles, -, label
BARRIER: Final = 1
GIVE: Final = 2  # queue, stages, label
WAIT: Final = 3  # queue, -, tasks given after the one that is awaited

BLOCK_BARRIERS: Final = 32  # of a block that may be played from memory

Instruction = tuple[int, int, "Stages", int]
Block = tuple[Instruction, ...]  # equal blocks of a program are one object


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What runs between two starts of ops.

    Rows and labels are counted from the first op of the part, so that equal layers share their
    code. `activity` is that of what is given and done here, by the row that it is for.
    """

    row: int
    blocks: tuple[Block, ...]
    activity: Mapping[int, Activity]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCode:
    """A part of the program.

    `attention` are numbers of segments that depend on the position, each with the code that the
    cores have in their cache before it.
    """

    segments: tuple[Segment, ...]
    attention: tuple[tuple[int, Cached], ...] = ()


def blocks(instructions: list[Instruction], known: dict[Block, Block]) -> tuple[Block, ...]:
    """Cut behind every so many barriers, so that loops over tiles give equal blocks."""
    found: list[Block] = []
    first = barriers = 0
    for at, instruction in enumerate(instructions, 1):
        barriers += instruction[0] == BARRIER
        if barriers == BLOCK_BARRIERS or at == len(instructions):
            block = tuple(instructions[first:at])
            found.append(known.setdefault(block, block))
            first, barriers = at, 0
    return tuple(found)


def play(timeline: Timeline, instructions: Block) -> None:
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
