"""Cycles of linear layers: the units are those of the program, and more work never takes less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aretusa.ir.types import DenseType
from aretusa.memory.engine_pieces import EnginePiece
from aretusa.memory.linear_plan import LinearPlan, plan_linear
from aretusa.memory.working_set import Ring, WorkingSet
from aretusa.neureka.linear import Engine
from aretusa.plan.engine_cost import engine_cost, units
from aretusa.plan.linear_cost import linear_cost
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from engine_units import EngineUnits

SIRACUSA: Final = load_target()
ENGINES: Final = (Engine.NEUREKA_3X3, Engine.NEUREKA_1X1)


@st.composite
def pieces(draw: st.DrawFn) -> EnginePiece:
    """Rows on the engine; those with groups have signed inputs."""
    group = draw(st.sampled_from((0, 0, 32, 64, 128)))
    return EnginePiece(
        weight="w",
        engine=draw(st.sampled_from(ENGINES)),
        rows=draw(st.sampled_from((1, 31, 32, 33, 96, 100, 280, 1000, 2049))),
        depth=draw(st.sampled_from((1, 9, 28, 100, 252, 576))),
        bits=draw(st.integers(2, 8)),
        has_bias=draw(st.booleans()),
        is_unsigned=group == 0 and draw(st.booleans()),
        group=group,
        has_minimum=group > 0 and draw(st.booleans()),
    )


working_sets = st.builds(
    WorkingSet,
    chunk=st.sampled_from((1, 2, 3, 4, 5, 8, 32, 36, 37)),
    tiles=st.just(Ring(memory=MemoryId.L1, slots=2, slot_bytes=8192)),
    pages=st.builds(
        Ring,
        memory=st.just(MemoryId.SRAM),
        slots=st.just(4),
        slot_bytes=st.sampled_from((65536, 131072, 2**20)),
    ),
    sums_bytes=st.sampled_from((0, 2048, 4608, 24576, 10**6)),
)


def cut(piece: EnginePiece, working: WorkingSet) -> LinearPlan:
    return plan_linear([piece], [], working, has_bias=piece.has_bias)


@settings(max_examples=200)
@given(piece=pieces(), working=working_sets, tokens=st.integers(1, 40), is_paged=st.booleans())
def test_units_are_those_of_the_program(
    engine_units: EngineUnits,
    piece: EnginePiece,
    working: WorkingSet,
    tokens: int,
    is_paged: bool,
) -> None:
    plan = cut(piece, working)
    tokens = min(tokens, working.chunk)
    if is_paged and plan.slice_rows == 0:
        return
    made = list(units(plan, piece, tokens, is_paged=is_paged))
    ours = [(unit.rows, unit.tokens, unit.length) for unit in made]
    assert ours == engine_units.units(plan, piece, tokens, is_paged=is_paged)
    work = sum(rows * count * length for rows, count, length in ours)
    assert work == piece.rows * tokens * piece.depth
    finished = sum(unit.rows * unit.tokens for unit in made if unit.is_last)
    assert finished == piece.rows * tokens


@settings(max_examples=60)
@given(piece=pieces(), working=working_sets, tokens=st.integers(1, 40))
def test_the_engine_is_never_longer_busy_than_the_layer_takes(
    piece: EnginePiece, working: WorkingSet, tokens: int
) -> None:
    plan = cut(piece, working)
    cost = engine_cost(plan, piece, min(tokens, working.chunk), SIRACUSA, MemoryId.MRAM)
    assert 0 < cost.engine_cycles < cost.cycles
    assert cost.weight_bytes >= piece.codes_bytes


@pytest.mark.parametrize("engine", ENGINES)
def test_more_tokens_rows_and_columns_take_longer(engine: Engine) -> None:
    def cycles(tokens: int = 1, rows: int = 256, depth: int = 252, bits: int = 4) -> int:
        piece = EnginePiece(
            weight="w", engine=engine, rows=rows, depth=depth, bits=bits, has_bias=False
        )
        plan = cut(piece, WorkingSet(chunk=tokens))
        return engine_cost(plan, piece, tokens, SIRACUSA, MemoryId.MRAM).cycles

    assert cycles() < cycles(tokens=8) < cycles(tokens=40)
    assert cycles() < cycles(rows=512) < cycles(rows=1024)
    assert cycles() <= cycles(depth=504) < cycles(depth=1008)
    assert cycles() <= cycles(bits=8)


def test_a_single_token_costs_less_than_its_share_of_many() -> None:
    """Weights are read once for a group of tokens."""
    piece = EnginePiece(
        weight="w", engine=Engine.NEUREKA_1X1, rows=1024, depth=576, bits=4, has_bias=False
    )
    plan = cut(piece, WorkingSet(chunk=36))
    one = engine_cost(plan, piece, 1, SIRACUSA, MemoryId.MRAM)
    many = engine_cost(plan, piece, 36, SIRACUSA, MemoryId.MRAM)
    assert many.cycles < 36 * one.cycles
    assert many.weight_bytes < 36 * one.weight_bytes


@pytest.mark.parametrize("bits", range(2, 9))
def test_pages_pass_the_link_once(bits: int) -> None:
    piece = EnginePiece(
        weight="w", engine=Engine.NEUREKA_3X3, rows=1024, depth=576, bits=bits, has_bias=True
    )
    ring = Ring(memory=MemoryId.SRAM, slots=4, slot_bytes=65536)
    plan = cut(piece, WorkingSet(chunk=4, pages=ring))
    near = linear_cost(plan, 1, SIRACUSA, engine_home=MemoryId.MRAM, rest_home=None)
    far = linear_cost(plan, 1, SIRACUSA, engine_home=MemoryId.L3, rest_home=None)
    assert near.off_chip_bytes == near.link_cycles == 0
    assert far.off_chip_bytes == piece.size_bytes
    assert far.link_cycles > 0
    assert far.bound == "off-chip"


@pytest.mark.parametrize("group", [0, 32, 64])
def test_tiles_of_the_cluster_move_every_row(group: int) -> None:
    matrix = DenseType(rows=1000, depth=576, bits=4, group=group)
    ring = Ring(memory=MemoryId.L1, slots=2, slot_bytes=8192)
    plan = plan_linear([], [matrix], WorkingSet(chunk=1, tiles=ring), has_bias=False)
    near = linear_cost(plan, 1, SIRACUSA, engine_home=None, rest_home=MemoryId.L2)
    far = linear_cost(plan, 1, SIRACUSA, engine_home=None, rest_home=MemoryId.L3)
    assert near.engine_cycles == near.off_chip_bytes == 0
    assert near.dma_bytes >= 1000 * 576 // 2
    assert near.cycles == max(near.cluster_cycles, near.dma_cycles)
    assert far.off_chip_bytes == near.dma_bytes
    assert far.cycles == near.cycles


def test_the_cluster_works_beside_the_first_unit_alone() -> None:
    rest = DenseType(rows=64, depth=576, bits=4, group=0)
    piece = EnginePiece(
        weight="w", engine=Engine.SPLIT, rows=960, depth=576, bits=4, has_bias=False
    )
    working = WorkingSet(chunk=1, tiles=Ring(memory=MemoryId.L1, slots=2, slot_bytes=8192))
    both = plan_linear([piece], [rest], working, has_bias=False)
    mram = MemoryId.MRAM
    together = linear_cost(both, 1, SIRACUSA, engine_home=mram, rest_home=mram)
    engine = linear_cost(both, 1, SIRACUSA, engine_home=mram, rest_home=None)
    cluster = linear_cost(both, 1, SIRACUSA, engine_home=None, rest_home=mram)
    assert max(engine.cycles, cluster.cycles) < together.cycles < engine.cycles + cluster.cycles
