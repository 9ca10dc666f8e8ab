"""Contents of a program: every weight once, in as many parts as engines read it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import lowered_graph, runnable_config

from aretusa.frontend.llama_config import Family
from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.contents import RegionKind, contents, matrix_biases
from aretusa.memory.engine_pieces import PIECE_SUFFIX, EnginePiece, engine_pieces
from aretusa.memory.matrix_parts import matrix_parts
from aretusa.neureka.layout import packed_1x1_bytes, packed_gemv_3x3_bytes
from aretusa.neureka.linear import Engine
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph

GRAPH: Final = lowered_graph(runnable_config(Family.QWEN2))
TOKENIZER_BYTES: Final = 5000
WORKSPACE_BYTES: Final = 7000

pieces = st.builds(
    EnginePiece,
    weight=st.just("w"),
    engine=st.sampled_from((Engine.NEUREKA_3X3, Engine.NEUREKA_1X1, Engine.SPLIT)),
    rows=st.integers(1, 400),
    depth=st.integers(1, 600),
    bits=st.integers(2, 8),
    has_bias=st.booleans(),
    is_unsigned=st.booleans(),
)


def on_engine(graph: Graph, rows: int) -> Graph:
    """So many rows of every linear layer on N-EUREKA, or all that it has."""
    return graph.with_ops(
        [
            replace(op, engine=Engine.SPLIT.value, engine_rows=min(rows, op.out.type.depth))
            if isinstance(op, ops.Linear)
            else op
            for op in graph.ops
        ]
    )


def sizes(graph: Graph) -> dict[str, int]:
    found = contents(
        graph,
        engine_pieces(graph),
        tokenizer_bytes=TOKENIZER_BYTES,
        workspace_bytes=WORKSPACE_BYTES,
    )
    assert len({content.name for content in found}) == len(found)
    return {content.name: content.size_bytes for content in found}


@pytest.mark.parametrize("rows", [0, 32, 96, 10**6])
def test_the_parts_of_a_matrix_have_all_its_rows(rows: int) -> None:
    graph = on_engine(GRAPH, rows) if rows else GRAPH
    found, types, biases = sizes(graph), graph.weight_types(), matrix_biases(graph)
    for op in graph.ops:
        if not isinstance(op, ops.Linear):
            continue
        matrix = types[op.weight]
        assert isinstance(matrix, DenseType)
        taken = min(rows, matrix.rows)
        assert (op.weight + PIECE_SUFFIX in found) is (taken > 0)
        left = matrix.rows - taken
        if left:
            rest = matrix_parts(replace(matrix, rows=left), has_bias=op.weight in biases)
            assert found[op.weight] == rest.size_bytes
        else:
            assert op.weight not in found


def test_biases_lie_with_their_matrix() -> None:
    biases = matrix_biases(GRAPH)
    assert biases
    assert not set(biases.values()) & set(sizes(GRAPH))


def test_everything_else_is_there_once() -> None:
    found = sizes(GRAPH)
    assert found["tokenizer"] == TOKENIZER_BYTES
    assert found["workspace"] == WORKSPACE_BYTES
    table = 4 * GRAPH.context * GRAPH.rope_dim // 2
    assert found["rope.cosine"] == found["rope.sine"] == table
    for cache in GRAPH.caches:
        assert found[cache.name] == cache.size_bytes(GRAPH.context)
    assert found["model.norm.weight"] == 4 * 64


def test_homes_are_what_can_be_reached() -> None:
    for content in contents(
        on_engine(GRAPH, 32),
        engine_pieces(on_engine(GRAPH, 32)),
        tokenizer_bytes=1,
        workspace_bytes=1,
    ):
        assert len(set(content.homes)) == len(content.homes) > 1
        assert MemoryId.L1 not in content.homes
        match content.kind:
            case RegionKind.CACHE | RegionKind.WORKSPACE:
                assert MemoryId.MRAM not in content.homes
            case RegionKind.TABLE:
                assert MemoryId.L3 not in content.homes
            case _:
                assert content.kind.is_constant
        if content.name.endswith(PIECE_SUFFIX):
            assert MemoryId.L2 not in content.homes


@given(pieces)
def test_a_piece_is_codes_and_then_numbers_of_each_row(piece: EnginePiece) -> None:
    packed = (
        packed_1x1_bytes(piece.rows, piece.depth)
        if piece.engine is Engine.NEUREKA_1X1
        else packed_gemv_3x3_bytes(piece.rows, piece.depth, piece.bits)
    )
    assert piece.codes_bytes == packed
    assert 0 <= piece.channels_offset - packed < 32
    numbers = 1 + piece.has_bias + piece.is_unsigned
    assert piece.size_bytes == piece.channels_offset + 4 * piece.rows * numbers


@given(pieces, st.integers(1, 400))
def test_pages_of_a_piece_hold_it(piece: EnginePiece, rows: int) -> None:
    assert piece.page_bytes(piece.rows) == piece.size_bytes
    if rows < piece.rows:
        assert piece.page_bytes(rows) < piece.size_bytes
        both = piece.page_bytes(rows) + piece.page_bytes(piece.rows - rows)
        assert piece.size_bytes <= both < piece.size_bytes + 32


def test_only_rows_with_an_engine_make_pieces() -> None:
    assert engine_pieces(GRAPH) == {}
    found = engine_pieces(on_engine(GRAPH, 32), is_unsigned=True)
    assert len(found) == sum(isinstance(op, ops.Linear) for op in GRAPH.ops)
    biases = matrix_biases(GRAPH)
    for weight, piece in found.items():
        assert piece.name == weight + PIECE_SUFFIX
        assert (piece.rows, piece.is_unsigned) == (32, True)
        assert piece.has_bias is (weight in biases)
