"""runtime/src/linear/units.c as a library: how the program cuts a linear layer into units."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from required_tools import skip_or_fail

from aretusa.resources import runtime_dir
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.memory.engine_pieces import EnginePiece
    from aretusa.memory.linear_plan import LinearPlan

UNITS_MAX: Final = 1 << 16
HARNESS: Final = r"""
#include "linear/units.h"

static struct art_engine_place engine;
static struct art_linear_plan plan;

void set_engine(const uint32_t numbers[8])
{
    const struct art_engine_place made = {.mode = (uint8_t)numbers[0],
                                          .bits = (uint8_t)numbers[1],
                                          .flags = (uint8_t)numbers[2],
                                          .memory = (uint8_t)numbers[3],
                                          .group = (uint16_t)numbers[4],
                                          .band_rows = (uint16_t)numbers[5],
                                          .rows = numbers[6],
                                          .depth = numbers[7]};

    engine = made;
}

void set_plan(uint32_t slice_rows, uint32_t block_rows, uint32_t sums_bytes, uint32_t input_bytes)
{
    const struct art_linear_plan made = {.engine = &engine,
                                         .slice_rows = slice_rows,
                                         .block_rows = block_rows,
                                         .sums_bytes = sums_bytes,
                                         .input_bytes = input_bytes};

    plan = made;
}

void sizes(uint32_t tokens, uint32_t found[10])
{
    found[0] = art_engine_row_bytes(&engine);
    found[1] = art_engine_page_channels(&engine, engine.rows);
    found[2] = art_engine_channel_arrays(&engine);
    found[3] = art_linear_group_tokens(&plan, tokens);
    found[4] = art_linear_group_pixels(&plan, found[3]);
    found[5] = art_linear_unit_rows(&plan, tokens);
    found[6] = art_linear_group_input_bytes(&plan, found[3]);
    found[7] = art_linear_scratch_bytes(&plan);
    found[8] = art_engine_groups(&engine);
    found[9] = 0;
    for (uint32_t i = 0; i < ART_ENGINE_ARRAYS; i++) {
        found[9] += art_engine_array_bytes(&engine, (enum art_engine_array)i, engine.rows);
    }
}

uint32_t units(uint32_t tokens, uint32_t most, uint32_t (*found)[3])
{
    const struct linear_call call = {
        .plan = &plan,
        .tokens = tokens,
        .group_tokens = art_linear_group_tokens(&plan, tokens),
        .page_rows = engine.memory == ART_MEMORY_L3 ? plan.slice_rows : engine.rows,
        .unit_rows = art_linear_unit_rows(&plan, tokens),
        .groups = art_engine_groups(&engine)};
    struct linear_unit next = linear_first_unit(&call);
    struct linear_unit unit;
    uint32_t count = 0;

    do {
        unit = next;
        found[count][0] = unit.rows;
        found[count][1] = unit.tokens;
        found[count][2] = linear_unit_length(&engine, &unit);
        count++;
    } while (count < most && linear_next_unit(&call, &unit, &next));
    return count;
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSizes:
    """What the program computes for one call."""

    row_bytes: int
    page_channels: int  # offset of the scales behind the codes of all rows
    channel_arrays: int
    group_tokens: int
    group_pixels: int
    unit_rows: int
    group_input_bytes: int
    scratch_bytes: int
    groups: int
    array_bytes: int  # of all rows


@dataclass(frozen=True, slots=True)
class EngineUnits:
    """The library; one plan at a time."""

    library: ctypes.CDLL

    @classmethod
    def build(cls, folder: Path) -> EngineUnits:
        """Compile units.c with the functions above."""
        if shutil.which("gcc") is None:
            skip_or_fail("gcc is not installed")
        harness, library = folder / "harness.c", folder / "units.so"
        harness.write_text(HARNESS)
        source = runtime_dir() / "src"
        subprocess.run(
            [
                *("gcc", "-std=c11", "-O1", "-shared", "-fPIC"),
                *(f"-I{runtime_dir() / 'include'}", f"-I{source}", "-o", str(library)),
                *(str(harness), str(source / "linear" / "units.c")),
            ],
            check=True,
            capture_output=True,
        )
        return cls(ctypes.CDLL(str(library)))

    def _set(self, plan: LinearPlan, piece: EnginePiece, *, is_paged: bool) -> None:
        flags = piece.has_bias | piece.is_unsigned << 1 | piece.has_minimum << 2
        numbers = (ctypes.c_uint32 * 8)(
            int(piece.engine.mode),
            piece.bits,
            flags,
            int(MemoryId.L3 if is_paged else MemoryId.MRAM),
            piece.group,
            piece.band_rows,
            piece.rows,
            piece.depth,
        )
        self.library.set_engine(numbers)
        self.library.set_plan(plan.slice_rows, plan.block_rows, plan.sums_bytes, plan.input_bytes)

    def sizes(
        self, plan: LinearPlan, piece: EnginePiece, tokens: int, *, is_paged: bool
    ) -> ProgramSizes:
        """Sizes of one call."""
        self._set(plan, piece, is_paged=is_paged)
        found = (ctypes.c_uint32 * 10)()
        self.library.sizes(tokens, found)
        return ProgramSizes(
            row_bytes=found[0],
            page_channels=found[1],
            channel_arrays=found[2],
            group_tokens=found[3],
            group_pixels=found[4],
            unit_rows=found[5],
            group_input_bytes=found[6],
            scratch_bytes=found[7],
            groups=found[8],
            array_bytes=found[9],
        )

    def units(
        self, plan: LinearPlan, piece: EnginePiece, tokens: int, *, is_paged: bool
    ) -> list[tuple[int, int, int]]:
        """Rows, tokens and columns of each unit, in order."""
        self._set(plan, piece, is_paged=is_paged)
        found = ((ctypes.c_uint32 * 3) * UNITS_MAX)()
        count = self.library.units(tokens, UNITS_MAX, found)
        assert count < UNITS_MAX, "the units never end"
        return [(one[0], one[1], one[2]) for one in found[:count]]
