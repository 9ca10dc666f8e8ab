"""Working sets worth trying: from generous to the least that any kernel can do with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.mapping.linear import engine_choices, map_linear
from aretusa.memory.engine_pieces import EnginePiece
from aretusa.memory.linear_plan import tile_bytes
from aretusa.memory.matrix_parts import BLOCK_ROWS
from aretusa.memory.placement import align
from aretusa.memory.working_set import NO_PAGES, NO_TILES, Ring, WorkingSet
from aretusa.neureka.linear import Engine
from aretusa.neureka.registers import TILE_CHANNELS
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aretusa.ir.graph import Graph

PAGE_SLOTS: Final = 4
PAGE_SLOT_BYTES: Final = 64 * 1024  # wanted; more where 32 rows of the widest matrix need it


@dataclass(frozen=True, slots=True)
class Level:
    """How generous a working set is."""

    tile_slots: int
    tile_slot_bytes: int
    sums_bytes: int
    scores_bytes: int
    tile_positions: int


KIB: Final = 1024
HEAD_BYTES: Final = 64  # of a position in a tile
EVEN_ROWS: Final = 64  # a tile of so many gives each of eight cores a block
LEVELS: Final = (
    Level(2, 56 * KIB, 24 * KIB, 32 * KIB, 128),
    Level(2, 16 * KIB, 24 * KIB, 32 * KIB, 128),
    Level(2, 8 * KIB, 16 * KIB, 16 * KIB, 128),
    Level(2, 8 * KIB, 8 * KIB, 8 * KIB, 64),
    Level(2, 4 * KIB, 4 * KIB, 4 * KIB, 32),
    Level(2, 2 * KIB, 2 * KIB, 2 * KIB, 32),
    Level(2, 0, 0, 0, 16),
    Level(1, 0, 0, 0, 8),
)


def page_ring(matrices: Mapping[str, DenseType]) -> Ring:
    """The ring that pages would take, whichever rows are paged and in whichever layout."""
    sizes = [_page_sizes(matrix) for matrix in matrices.values()]
    if not sizes:
        return NO_PAGES
    least = max(least for least, _ in sizes)
    whole = max(whole for _, whole in sizes)
    size = align(max(least, min(whole, PAGE_SLOT_BYTES)))
    return Ring(memory=MemoryId.SRAM, slots=PAGE_SLOTS, slot_bytes=size)


def _page_sizes(matrix: DenseType) -> tuple[int, int]:
    """Bytes of the smallest page of a matrix and of all its rows, in the largest layout."""
    mappings = [*engine_choices(matrix, None), map_linear(matrix, Engine.SPLIT)]
    pieces = [
        EnginePiece(
            weight="",
            engine=mapping.engine,
            rows=mapping.engine_rows,
            depth=matrix.depth,
            bits=matrix.bits,
            has_bias=True,
            is_unsigned=True,
            group=matrix.group,
            has_minimum=matrix.has_minimum,
        )
        for mapping in mappings
        if mapping.engine_rows
    ]
    least = [p.page_bytes(min(p.rows, p.band_rows or TILE_CHANNELS)) for p in pieces]
    return max(least), max(p.size_bytes for p in pieces)


def working_set(
    graph: Graph,
    level: Level,
    rests: Mapping[str, DenseType],
    biases: Mapping[str, str],
    pages: Ring,
) -> WorkingSet:
    """The working set of a level for the graph's chunk. `rests` are the cluster's matrices."""
    tiles = NO_TILES
    if rests:
        blocks = [tile_bytes(m, BLOCK_ROWS, has_bias=name in biases) for name, m in rests.items()]
        even = [
            tile_bytes(m, min(m.rows, EVEN_ROWS), has_bias=name in biases)
            for name, m in rests.items()
        ]
        size = max(*blocks, min(max(even), level.tile_slot_bytes))
        tiles = Ring(memory=MemoryId.L1, slots=level.tile_slots, slot_bytes=align(size))
    return WorkingSet(
        chunk=graph.chunk_max,
        tiles=tiles,
        pages=pages,
        sums_bytes=level.sums_bytes,
        scores_bytes=max(least_scores_bytes(graph), level.scores_bytes),
        tile_positions=tile_positions(graph, level),
    )


def tile_positions(graph: Graph, level: Level) -> int:
    """Positions of attention's tiles, at most those of all heads.

    Small heads get as many bytes as those of 60 elements: several share a tile then, and each tile
    costs the cores a barrier and what they do around it.
    """
    most = 8
    for op in graph.ops:
        if isinstance(op, ops.CachedAttention):
            caches = [graph.cache(name) for name in (op.key_cache, op.value_cache)]
            bytes_wanted = level.tile_positions * HEAD_BYTES
            fitting = bytes_wanted // max(cache.position_bytes for cache in caches) // 8 * 8
            everything = caches[0].heads * -(-graph.context // 8) * 8
            most = max(most, min(max(level.tile_positions, fitting), everything))
    return most


def least_scores_bytes(graph: Graph) -> int:
    """Scores of one token and one kv head: what attention cannot do without."""
    return max(
        (
            4 * graph.context * (op.query.type.dims(1)[1] // graph.cache(op.key_cache).heads)
            for op in graph.ops
            if isinstance(op, ops.CachedAttention)
        ),
        default=0,
    )


def with_chunk(graph: Graph, chunk: int) -> Graph:
    """The graph with another largest step."""
    return replace(graph, chunk_max=chunk)


def cluster_matrices(
    graph: Graph, pieces: Mapping[str, EnginePiece], names: Sequence[str]
) -> dict[str, DenseType]:
    """The rows of each named matrix that stay on the cluster, where there are any."""
    found: dict[str, DenseType] = {}
    types = graph.weight_types()
    for name in names:
        matrix = types[name]
        if isinstance(matrix, DenseType):
            rest = matrix.rows - (pieces[name].rows if name in pieces else 0)
            if rest:
                found[name] = replace(matrix, rows=rest)
    return found
