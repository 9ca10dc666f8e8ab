"""Repeats: the loads that a short trace leaves out, put back as copies of a period before them.

`schedule.streams.next_load` leaves out whole periods behind the second one. Each does what the
second did, one period of loads further on: it consumes loads of full size from the ring, and gives
loads of full size to it, since at least one period of the same matrix follows the gap and the ring
holds at most a period.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.schedule.streams import period_of
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.trace.event import Touch
    from aretusa_sim.activity import Activity
    from aretusa_sim.code import Instruction
    from aretusa_sim.op_call import OpCall

TILES: Final = {"linear tile"}
PAGES: Final = {"linear finish", "linear last group"}

Activities = dict[int, "Activity"]


class _Loads:
    """The loads of one ring in one call: where the first two periods end, and what is left out."""

    def __init__(self, period: int, load_rows: int) -> None:
        self.period = period
        self.load_rows = load_rows
        self.ends: dict[int, int] = {}  # number of instructions behind the last load of a period
        self.done: dict[int, Activities] = {}  # and what was done till then
        self.left_out = 0

    def touched(self, row: int, rows: int, told: int, at: int, activity: Activities) -> None:
        """A touch used rows of a load and stands for `told` rows; `at` instructions are behind."""
        load = row // self.load_rows
        if load in {self.period - 1, 2 * self.period - 1}:
            self.ends[load] = at
            self.done[load] = deepcopy(activity)
        if told > rows:
            self.left_out = (told - rows) // self.load_rows

    def put_back(self, instructions: list[Instruction], activity: Activities) -> None:
        """Insert the periods that were left out, and count what they do."""
        if not self.left_out:
            return
        first, second = self.period - 1, 2 * self.period - 1
        period = instructions[self.ends[first] : self.ends[second]]
        times = self.left_out // self.period
        instructions[self.ends[second] : self.ends[second]] = period * times
        for row, later in self.done[second].items():
            activity[row].add_times(later, times)
            earlier = self.done[first].get(row)
            if earlier is not None:
                activity[row].add_times(earlier, -times)


class Repeats:
    """Both rings in one call of a linear layer."""

    def __init__(self, call: OpCall) -> None:
        """Nothing touched yet."""
        self._depth = 0
        self._tiles: _Loads | None = None
        self._pages: _Loads | None = None
        op, numbers = call.op, call.part.linears[call.index]
        if not isinstance(op, ops.Linear) or numbers is None:
            return
        matrix, working = call.matrix, call.listing.working
        self._depth = op.out.type.depth
        self._first = matrix.engine.rows if matrix.engine else 0
        if matrix.rest_rows and numbers.tile_rows:
            self._tiles = _Loads(period_of(working.tiles.slots), numbers.tile_rows)
        if matrix.engine and call.homes[matrix.engine_region] is MemoryId.L3:
            self._pages = _Loads(period_of(working.pages.slots), numbers.slice_rows)

    def touched(self, touch: Touch, at: int, activity: Activities) -> None:
        """A touch; only those that use up a tile or a page matter."""
        is_tile = touch.phase in TILES
        loads = self._tiles if is_tile else self._pages
        if loads is None or touch.phase not in TILES | PAGES:
            return
        written = touch.writes[-1]
        row = written.at_bytes // 4 % self._depth - (self._first if is_tile else 0)
        loads.touched(row, touch.rows, written.size_bytes // 4, at, activity)

    def put_back(self, instructions: list[Instruction], activity: Activities) -> None:
        """Complete the call: pages come behind tiles."""
        for loads in (self._pages, self._tiles):
            if loads is not None:
                loads.put_back(instructions, activity)
