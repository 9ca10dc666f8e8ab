"""The rows of a matrix that run on N-EUREKA: codes in its layout, then numbers per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.placement import align
from aretusa.neureka.linear import Engine, engine_bytes

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph

FLOAT_BYTES: Final = 4
PIECE_SUFFIX: Final = "#engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePiece:
    """The first `rows` rows of a matrix, as one block of bytes.

    The codes come first. Behind them, aligned: a binary32 scale per row, a binary32 bias per row if
    there is one, and an int32 correction per row where the engine takes no signed inputs.
    """

    weight: str
    engine: Engine
    rows: int
    depth: int
    bits: int
    has_bias: bool
    is_unsigned: bool = False

    @property
    def name(self) -> str:
        """Region of the block."""
        return f"{self.weight}{PIECE_SUFFIX}"

    @property
    def row_bytes(self) -> int:
        """Codes of one row."""
        return engine_bytes(self.engine, 1, self.depth, self.bits)

    @property
    def codes_bytes(self) -> int:
        """Codes of all rows."""
        return self.rows * self.row_bytes

    @property
    def channels_offset(self) -> int:
        """Where the numbers per row start."""
        return align(self.codes_bytes)

    @property
    def numbers_per_row(self) -> int:
        """Scale, bias, correction."""
        return 1 + self.has_bias + self.is_unsigned

    @property
    def size_bytes(self) -> int:
        """The whole block."""
        return self.page_bytes(self.rows)

    def page_bytes(self, rows: int) -> int:
        """The same for some of the rows: what a page of them takes."""
        return align(rows * self.row_bytes) + FLOAT_BYTES * rows * self.numbers_per_row


def piece_of(op: ops.Linear, matrix: DenseType, *, is_unsigned: bool) -> EnginePiece | None:
    """The rows of a linear layer that run on N-EUREKA, if any; the op has its engine."""
    if op.engine is None or op.engine_rows is None:
        return None
    return EnginePiece(
        weight=op.weight,
        engine=Engine(op.engine),
        rows=op.engine_rows,
        depth=matrix.depth,
        bits=matrix.bits,
        has_bias=op.bias is not None,
        is_unsigned=is_unsigned,
    )


def engine_pieces(graph: Graph, *, is_unsigned: bool = False) -> dict[str, EnginePiece]:
    """The piece of each matrix that has one, by the weight's name."""
    types = graph.weight_types()
    pieces: dict[str, EnginePiece] = {}
    for op in graph.ops:
        if isinstance(op, ops.Linear):
            matrix = types[op.weight]
            assert isinstance(matrix, DenseType), f"{op.weight} is not a matrix"
            piece = piece_of(op, matrix, is_unsigned=is_unsigned)
            if piece is not None:
                pieces[op.weight] = piece
    return pieces
