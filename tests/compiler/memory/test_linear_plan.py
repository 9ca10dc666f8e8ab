"""How linear layers are cut: the most rows that fit, and the sizes that the program computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aretusa.ir.types import DenseType
from aretusa.memory.engine_pieces import EnginePiece
from aretusa.memory.linear_plan import (
    LinearPlan,
    block_rows,
    group_pixels,
    group_tokens,
    plan_linear,
    slice_rows,
    tile_bytes,
    tile_rows,
    unit_rows,
)
from aretusa.memory.working_set import NO_PAGES, NO_TILES, Ring, WorkingSet
from aretusa.neureka.linear import Engine
from aretusa.quantization.schemes import GROUPS
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from engine_units import EngineUnits

ODD_ROWS = (1, 7, 8, 9, 31, 32, 33, 63, 96, 100, 280, 1000, 2049)
ODD_DEPTHS = (1, 8, 9, 28, 100, 252, 253, 576, 2304)
ENGINES = (Engine.NEUREKA_3X3, Engine.NEUREKA_1X1)

rows_of = st.sampled_from(ODD_ROWS)
slots = st.sampled_from((0, 32, 1024, 4096, 16384, 65536, 2**20))


@st.composite
def pieces(draw: st.DrawFn) -> EnginePiece:
    """Rows on the engine; those with groups have signed inputs."""
    group = draw(st.sampled_from((0, 0, *GROUPS)))
    return EnginePiece(
        weight="w",
        engine=draw(st.sampled_from(ENGINES)),
        rows=draw(rows_of),
        depth=draw(st.sampled_from(ODD_DEPTHS)),
        bits=draw(st.integers(2, 8)),
        has_bias=draw(st.booleans()),
        is_unsigned=group == 0 and draw(st.booleans()),
        group=group,
        has_minimum=group > 0 and draw(st.booleans()),
    )


@st.composite
def matrices(draw: st.DrawFn) -> DenseType:
    group = draw(st.sampled_from((0, *GROUPS)))
    depth = draw(st.sampled_from(ODD_DEPTHS)) if group == 0 else group * draw(st.integers(1, 9))
    return DenseType(
        rows=draw(rows_of),
        depth=depth,
        bits=draw(st.integers(2, 8)),
        group=group,
        has_minimum=group > 0 and draw(st.booleans()),
    )


@st.composite
def working_sets(draw: st.DrawFn) -> WorkingSet:
    return WorkingSet(
        chunk=draw(st.sampled_from((1, 2, 3, 4, 5, 8, 32, 36, 37))),
        tiles=Ring(memory=MemoryId.L1, slots=2, slot_bytes=draw(slots)),
        pages=Ring(memory=MemoryId.SRAM, slots=4, slot_bytes=draw(slots)),
        sums_bytes=draw(st.sampled_from((0, 100, 2048, 4608, 24576, 10**6))),
    )


def tiles_ring(slot_bytes: int) -> Ring:
    return Ring(memory=MemoryId.L1, slots=2, slot_bytes=slot_bytes)


@given(matrix=matrices(), slot_bytes=slots, has_bias=st.booleans())
def test_a_tile_has_as_many_blocks_as_a_slot_holds(
    matrix: DenseType, slot_bytes: int, has_bias: bool
) -> None:
    rows = tile_rows(matrix, tiles_ring(slot_bytes), has_bias=has_bias)
    blocks = range(8, matrix.rows + 8, 8)
    fitting = [n for n in blocks if tile_bytes(matrix, n, has_bias=has_bias) <= slot_bytes]
    assert rows == max(fitting, default=0)


@given(piece=pieces(), slot_bytes=slots)
def test_a_page_has_as_many_tiles_of_channels_as_a_slot_holds(
    piece: EnginePiece, slot_bytes: int
) -> None:
    rows, step = slice_rows(piece, tiles_ring(slot_bytes)), piece.band_rows or 32
    assert rows % step == 0
    if rows >= piece.rows:
        assert rows - piece.rows < step
        assert piece.size_bytes <= slot_bytes
    else:
        assert rows == 0 or piece.page_bytes(rows) <= slot_bytes
        assert piece.page_bytes(min(rows + step, piece.rows)) > slot_bytes


@pytest.mark.parametrize(("rows", "expected"), [(32, 32), (64, 64), (96, 96), (576, 160)])
def test_blocks_are_about_the_root_of_the_tiles(rows: int, expected: int) -> None:
    piece = EnginePiece(
        weight="w", engine=Engine.NEUREKA_3X3, rows=rows, depth=64, bits=4, has_bias=False
    )
    assert block_rows(piece) == expected


@given(piece=pieces())
def test_blocks_are_whole_tiles_and_cover_the_piece(piece: EnginePiece) -> None:
    rows = block_rows(piece)
    assert rows % 32 == 0
    assert rows >= min(piece.rows, 32)
    units = -(-piece.rows // rows)
    if piece.band_rows:
        assert rows == piece.band_rows
    else:
        assert units**2 <= -(-piece.rows // 32)


def cut(piece: EnginePiece, working: WorkingSet) -> LinearPlan:
    return plan_linear([piece], [], working, has_bias=piece.has_bias)


@settings(max_examples=200)
@given(piece=pieces(), working=working_sets(), tokens=st.integers(1, 40), is_paged=st.booleans())
def test_the_program_computes_the_same_sizes(
    engine_units: EngineUnits,
    piece: EnginePiece,
    working: WorkingSet,
    tokens: int,
    is_paged: bool,
) -> None:
    plan = cut(piece, working)
    tokens = min(tokens, working.chunk)
    found = engine_units.sizes(plan, piece, tokens, is_paged=is_paged)
    assert found.row_bytes == piece.row_bytes
    assert found.page_channels == piece.channels_offset
    assert found.groups == len(piece.group_lengths)
    assert found.page_channels + found.array_bytes == piece.size_bytes
    assert found.channel_arrays == piece.numbers_per_row
    assert found.scratch_bytes == plan.scratch_bytes
    assert found.group_tokens == group_tokens(piece, tokens)
    assert found.group_pixels == group_pixels(piece, found.group_tokens)
    assert found.unit_rows == unit_rows(plan, piece, tokens, is_paged=is_paged)
    assert found.group_input_bytes <= plan.input_bytes


@given(piece=pieces(), working=working_sets(), tokens=st.integers(1, 40))
def test_a_unit_always_has_rows(piece: EnginePiece, working: WorkingSet, tokens: int) -> None:
    """However little is allowed for sums: one tile of channels always has its room."""
    plan = cut(piece, working)
    rows = unit_rows(plan, piece, min(tokens, working.chunk), is_paged=False)
    assert 0 < rows <= piece.rows
    assert rows == piece.rows or rows % 32 == 0


def test_what_a_working_set_has_no_room_for_comes_out_as_nothing() -> None:
    matrix = DenseType(rows=100, depth=100, bits=8, group=0)
    piece = EnginePiece(
        weight="w", engine=Engine.NEUREKA_1X1, rows=100, depth=100, bits=8, has_bias=False
    )
    working = WorkingSet(chunk=4, tiles=NO_TILES, pages=NO_PAGES)
    plan = plan_linear([piece], [matrix], working, has_bias=False)
    assert (plan.rows, plan.tile_rows, plan.slice_rows) == (200, 0, 0)


def test_layers_of_a_kind_share_the_smallest_tile() -> None:
    """Equal shapes with other widths: a slot holds fewer rows of the wider codes."""
    narrow = DenseType(rows=64, depth=128, bits=4, group=0)
    wide = DenseType(rows=64, depth=128, bits=8, group=0)
    working = WorkingSet(chunk=1, tiles=tiles_ring(4096))
    each = [plan_linear([], [m], working, has_bias=False).tile_rows for m in (narrow, wide)]
    both = plan_linear([], [narrow, wide], working, has_bias=False).tile_rows
    assert each == [56, 24]
    assert both == min(each)
