"""Contents: everything of a program that needs a home besides the buffers of a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.matrix_parts import matrix_parts
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aretusa.ir.graph import Graph
    from aretusa.memory.engine_pieces import EnginePiece

ROPE_COSINE: Final = "rope.cosine"
ROPE_SINE: Final = "rope.sine"
TOKENIZER: Final = "tokenizer"
WORKSPACE: Final = "workspace"

_WEIGHT: Final = (MemoryId.MRAM, MemoryId.SRAM)
# Cores address these: L3 is reached by transfers only.
_ADDRESSED: Final = (MemoryId.L2, MemoryId.SRAM, MemoryId.MRAM)
_STREAMED: Final = (MemoryId.MRAM, MemoryId.SRAM, MemoryId.L2, MemoryId.L3)
_CACHE: Final = (MemoryId.L2, MemoryId.SRAM, MemoryId.L3)
_WRITTEN: Final = (MemoryId.L2, MemoryId.SRAM)
# Read by the token loop, not by kernels; from L3 only through the fabric controller.
_TOKEN_LOOP: Final = (MemoryId.L2, MemoryId.SRAM, MemoryId.MRAM, MemoryId.L3)


class RegionKind(Enum):
    """What lies in a region."""

    WEIGHT = "weight"
    TABLE = "table"
    TOKENIZER = "tokenizer"
    CACHE = "cache"
    WORKSPACE = "workspace"
    BUFFER = "buffer"
    RING = "ring"

    @property
    def is_constant(self) -> bool:
        """Whether the region is part of an image."""
        return self in {RegionKind.WEIGHT, RegionKind.TABLE, RegionKind.TOKENIZER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes that need one home, and the memories that may be it, the usual one first."""

    name: str
    kind: RegionKind
    size_bytes: int
    homes: tuple[MemoryId, ...]


def contents(
    graph: Graph,
    pieces: Mapping[str, EnginePiece],
    *,
    tokenizer_bytes: int,
    workspace_bytes: int,
) -> list[Content]:
    """All of them, in the order in which the program uses them."""
    return [
        *_weights(graph, pieces),
        *_tables(graph),
        Content(
            name=TOKENIZER, kind=RegionKind.TOKENIZER, size_bytes=tokenizer_bytes, homes=_TOKEN_LOOP
        ),
        *_caches(graph),
        Content(
            name=WORKSPACE, kind=RegionKind.WORKSPACE, size_bytes=workspace_bytes, homes=_WRITTEN
        ),
    ]


def matrix_biases(graph: Graph) -> dict[str, str]:
    """Bias of each matrix that has one; it is stored with the matrix."""
    return {
        op.weight: op.bias for op in graph.ops if isinstance(op, ops.Linear) and op.bias is not None
    }


def _weights(graph: Graph, pieces: Mapping[str, EnginePiece]) -> Iterator[Content]:
    biases = matrix_biases(graph)
    stored_with_matrix = set(biases.values())
    for weight in graph.weights:
        if weight.name in stored_with_matrix:
            continue
        if not isinstance(weight.type, DenseType):
            size = 4 * weight.type.size
            yield Content(
                name=weight.name, kind=RegionKind.WEIGHT, size_bytes=size, homes=_ADDRESSED
            )
            continue
        piece = pieces.get(weight.name)
        if piece is not None:
            yield piece_content(piece)
        rest = weight.type.rows - (0 if piece is None else piece.rows)
        if rest:
            matrix = replace(weight.type, rows=rest)
            yield matrix_content(weight.name, matrix, has_bias=weight.name in biases)


def piece_content(piece: EnginePiece) -> Content:
    """Rows on N-EUREKA: in the weight memory, or in L3 to be paged."""
    homes = (*_WEIGHT, MemoryId.L3)
    return Content(
        name=piece.name, kind=RegionKind.WEIGHT, size_bytes=piece.size_bytes, homes=homes
    )


def matrix_content(name: str, matrix: DenseType, *, has_bias: bool) -> Content:
    """Rows on the cluster."""
    size = matrix_parts(matrix, has_bias=has_bias).size_bytes
    return Content(name=name, kind=RegionKind.WEIGHT, size_bytes=size, homes=_STREAMED)


def _tables(graph: Graph) -> Iterator[Content]:
    size = 4 * graph.context * graph.rope_dim // 2
    for name in (ROPE_COSINE, ROPE_SINE):
        yield Content(name=name, kind=RegionKind.TABLE, size_bytes=size, homes=_ADDRESSED)


def _caches(graph: Graph) -> Iterator[Content]:
    for cache in graph.caches:
        size = cache.size_bytes(graph.context)
        yield Content(name=cache.name, kind=RegionKind.CACHE, size_bytes=size, homes=_CACHE)
