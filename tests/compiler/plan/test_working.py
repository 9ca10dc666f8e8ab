"""Working sets: each level needs no more of L1 than the one before, and every kernel can work."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest
from tiny_models import lowered_graph, runnable_config

from aretusa.frontend.llama_config import Family
from aretusa.ir import ops
from aretusa.mapping.linear import engine_choices, map_linear
from aretusa.memory.body import bodies
from aretusa.memory.contents import matrix_biases
from aretusa.memory.engine_pieces import EnginePiece
from aretusa.memory.lifetimes import buffers
from aretusa.memory.linear_plan import slice_rows, tile_bytes
from aretusa.memory.working_set import NO_PAGES, NO_TILES, WorkingSet
from aretusa.neureka.linear import Engine
from aretusa.plan.l1 import live_bytes
from aretusa.plan.working import (
    EVEN_ROWS,
    LEVELS,
    PAGE_SLOTS,
    Level,
    cluster_matrices,
    least_scores_bytes,
    page_ring,
    with_chunk,
    working_set,
)
from aretusa.schedule.roll import roll
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.ir.types import DenseType

GRAPHS: Final = {
    "llama": lowered_graph(context=300),
    "qwen2": lowered_graph(runnable_config(Family.QWEN2, ffn_size=756), scheme="w4", context=7),
    "one token": lowered_graph(context=1, chunk=1),
}

# Bands of 756 rows are shorter than one of the 544 that a divided matrix has on the engine.
GROUPED: Final = {
    scheme: lowered_graph(runnable_config(ffn_size=756, hidden_size=96), scheme=scheme)
    for scheme in ("w4g32", "w8g64")
}


def rests(graph: Graph) -> dict[str, DenseType]:
    names = [op.weight for op in graph.ops if isinstance(op, ops.Linear)]
    return cluster_matrices(graph, {}, names)


def set_of(graph: Graph, level: Level) -> WorkingSet:
    """With everything on the cluster."""
    return working_set(graph, level, rests(graph), matrix_biases(graph), NO_PAGES)


def l1_bytes(graph: Graph, working: WorkingSet) -> int:
    parts = tuple(bodies(graph, roll(graph), working, is_unsigned=False))
    return live_bytes([buffer for buffer in buffers(parts) if buffer.needs_l1])


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_levels_need_less_and_less(graph: Graph) -> None:
    sizes = [l1_bytes(graph, set_of(graph, level)) for level in LEVELS]
    assert all(tight <= roomy for roomy, tight in pairwise(sizes))
    assert sizes[-1] < sizes[0]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_every_kernel_can_work_with_every_level(graph: Graph, level: Level) -> None:
    """A slot holds a block of each matrix, scores those of one token and one kv head."""
    working = set_of(graph, level)
    for body in bodies(graph, roll(graph), working, is_unsigned=False):
        for op in body.ops:
            if isinstance(op, ops.Linear):
                assert body.linear(op).tile_rows >= 8
    assert working.scores_bytes >= least_scores_bytes(graph)
    assert working.tile_positions % 8 == 0
    heads = max((cache.heads for cache in graph.caches), default=1)
    assert 8 <= working.tile_positions <= heads * -(-graph.context // 8) * 8
    assert working.tiles.slot_bytes % 32 == 0
    assert working.chunk == graph.chunk_max


def test_slots_are_no_larger_than_tiles_that_give_every_core_a_block() -> None:
    graph = GRAPHS["llama"]
    biases = matrix_biases(graph)
    largest = max(
        tile_bytes(m, min(m.rows, EVEN_ROWS), has_bias=name in biases)
        for name, m in rests(graph).items()
    )
    roomy = Level(3, 10**9, 0, 0, 8)
    assert set_of(graph, roomy).tiles.slot_bytes == largest


def test_without_matrices_on_the_cluster_there_is_no_ring() -> None:
    graph = GRAPHS["llama"]
    assert working_set(graph, LEVELS[0], {}, {}, NO_PAGES).tiles == NO_TILES


@pytest.mark.parametrize("graph", (GRAPHS | GROUPED).values(), ids=GRAPHS | GROUPED)
def test_a_page_holds_rows_of_every_matrix_however_it_is_divided(graph: Graph) -> None:
    matrices = rests(graph)
    ring = page_ring(matrices)
    assert (ring.memory, ring.slots) == (MemoryId.SRAM, PAGE_SLOTS)
    for matrix in matrices.values():
        for mapping in (*engine_choices(matrix, None), map_linear(matrix, Engine.SPLIT)):
            if mapping.engine_rows == 0:
                continue
            piece = EnginePiece(
                weight="w",
                engine=mapping.engine,
                rows=mapping.engine_rows,
                depth=matrix.depth,
                bits=matrix.bits,
                has_bias=True,
                is_unsigned=True,
                group=matrix.group,
                has_minimum=matrix.has_minimum,
            )
            assert slice_rows(piece, ring) >= min(32, piece.rows)


def test_no_matrix_needs_no_pages() -> None:
    assert page_ring({}) == NO_PAGES


def test_only_the_rows_behind_a_piece_stay_on_the_cluster() -> None:
    graph = GRAPHS["llama"]
    name = "model.layers.0.mlp.up_proj.weight"
    whole = rests(graph)[name]
    piece = EnginePiece(weight=name, engine=Engine.SPLIT, rows=64, depth=64, bits=8, has_bias=False)
    left = cluster_matrices(graph, {name: piece}, [name])
    assert left[name].rows == whole.rows - 64
    everything = EnginePiece(
        weight=name, engine=Engine.SPLIT, rows=whole.rows, depth=64, bits=8, has_bias=False
    )
    assert cluster_matrices(graph, {name: everything}, [name]) == {}


def test_the_chunk_is_all_that_changes() -> None:
    graph = GRAPHS["llama"]
    other = with_chunk(graph, 3)
    assert other.chunk_max == 3
    assert with_chunk(other, graph.chunk_max) == graph
