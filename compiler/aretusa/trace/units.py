"""Unit: a part of a linear layer that N-EUREKA runs at a time; runtime/src/linear/units.c."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aretusa.schedule.streams import next_load
from aretusa.trace.layouts import TAPS, TILE_OUT, up

if TYPE_CHECKING:
    from aretusa.trace.layouts import EngineRows
    from aretusa.trace.listing import LinearNumbers

GRID_TOKENS: Final = 4  # of one 3x3 job
PIXEL_TOKENS: Final = 36  # of a group in 1x1 mode
BEAT: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Rows are counted from the engine's first one; `page` is the first row of its page."""

    number: int
    page: int
    row: int
    rows: int
    token: int
    tokens: int
    group: int  # of the depth


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPlan:
    """How the engine's rows of one call are cut."""

    engine: EngineRows
    numbers: LinearNumbers
    tokens: int
    is_paged: bool
    period: int = 0  # of the pages that are told, as in `next_load`

    @property
    def group_tokens(self) -> int:
        """Tokens that share a unit: art_linear_group_tokens."""
        if self.engine.is_1x1:
            return min(self.tokens, PIXEL_TOKENS)
        return min(self.tokens, GRID_TOKENS) if self.numbers.input_bytes else 1

    def pixels(self, group_tokens: int) -> int:
        """Pixels of results of a group: art_linear_group_pixels."""
        if self.engine.is_1x1 or group_tokens == 1:
            return group_tokens
        return 4 if group_tokens == 2 else 16

    @property
    def page_rows(self) -> int:
        """Rows of a page that is not the last."""
        return self.numbers.slice_rows if self.is_paged else self.engine.rows

    @property
    def unit_rows(self) -> int:
        """Rows of a unit that is not the last of its page: art_linear_unit_rows."""
        band = self.engine.band_rows or self.engine.rows
        most = min(self.numbers.block_rows, self.page_rows, band, self.engine.rows)
        room = self.numbers.sums_bytes // (4 * self.pixels(self.group_tokens))
        return most if most <= room else room // TILE_OUT * TILE_OUT

    def is_arranged(self, group_tokens: int) -> bool:
        """Whether the engine reads a group's inputs from a buffer."""
        return self.engine.is_unsigned or (not self.engine.is_1x1 and group_tokens > 1)

    def input_bytes(self, group_tokens: int) -> int:
        """Of arranged inputs: art_linear_group_input_bytes."""
        if not self.is_arranged(group_tokens):
            return 0
        if self.engine.is_1x1:
            return self.engine.depth * group_tokens
        image = TAPS * self.engine.channels(self.engine.lengths[0])
        return GRID_TOKENS * image if group_tokens > 2 else group_tokens * image

    def sums_at(self, unit: Unit) -> int:
        """Where a unit's sums start in the scratch."""
        return unit.number % 2 * up(self.numbers.sums_bytes, BEAT)

    def inputs_at(self, unit: Unit) -> int:
        """Where its arranged inputs start in the scratch."""
        sums = 2 * up(self.numbers.sums_bytes, BEAT)
        return sums + unit.number % 2 * up(self.numbers.input_bytes, BEAT)

    @property
    def scratch_bytes(self) -> int:
        """Two buffers of sums, two of inputs, totals of groups: art_linear_scratch_bytes."""
        totals = up(self.numbers.sums_bytes, BEAT) if self.engine.group else 0
        return self.totals_at + totals

    @property
    def totals_at(self) -> int:
        """Where the terms of groups are added up in the scratch."""
        return 2 * (up(self.numbers.sums_bytes, BEAT) + up(self.numbers.input_bytes, BEAT))

    def keeps_inputs(self, unit: Unit) -> bool:
        """Whether the buffer still holds the unit's inputs: no more than two take turns."""
        turns = -(-self.tokens // self.group_tokens) * len(self.engine.lengths)
        return unit.number >= 2 and turns <= 2

    def starts_page(self, unit: Unit) -> bool:
        """Whether it is the first unit of its page."""
        return self.is_paged and (unit.row, unit.token, unit.group) == (unit.page, 0, 0)

    def first(self) -> Unit:
        """The first unit."""
        unit = Unit(number=0, page=0, row=0, rows=0, token=0, tokens=0, group=0)
        return self._with_rows(unit)

    def after(self, unit: Unit) -> Unit | None:
        """The next unit; None behind the last."""
        if unit.group + 1 < len(self.engine.lengths):
            return replace(unit, number=unit.number + 1, group=unit.group + 1)
        unit = replace(unit, group=0)
        token = unit.token + unit.tokens
        if token < self.tokens:
            tokens = min(self.group_tokens, self.tokens - token)
            return replace(unit, number=unit.number + 1, token=token, tokens=tokens)
        row = self.next_row(unit)
        if row == self.engine.rows:
            return None
        page = row if row >= unit.page + self.page_rows else unit.page
        return self._with_rows(replace(unit, number=unit.number + 1, page=page, row=row))

    def next_row(self, unit: Unit) -> int:
        """The first row of the unit behind those of the same rows."""
        row = unit.row + unit.rows
        if row < min(unit.page + self.page_rows, self.engine.rows):
            return row
        count = -(-self.engine.rows // self.page_rows)
        following = next_load(unit.page // self.page_rows, count, self.period)
        return min(following * self.page_rows, self.engine.rows)

    def _with_rows(self, unit: Unit) -> Unit:
        left = min(unit.page + self.page_rows, self.engine.band(unit.row)[1]) - unit.row
        rows = min(self.unit_rows, left)
        return replace(unit, rows=rows, token=0, tokens=min(self.group_tokens, self.tokens))
