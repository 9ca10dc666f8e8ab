"""The parts of matrices that run on N-EUREKA: codes in its layout, and scales of the results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.neureka.linear import Engine, engine_bytes

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePiece:
    """The first `rows` rows of a matrix."""

    weight: str
    engine: Engine
    rows: int
    codes_bytes: int
    has_bias: bool

    @property
    def codes_name(self) -> str:
        """Region of the codes."""
        return f"{self.weight}#engine"

    @property
    def channels_name(self) -> str:
        """Region of scales and biases: one binary32 each per row."""
        return f"{self.weight}#channels"

    @property
    def channels_bytes(self) -> int:
        """Bytes of that region."""
        return 4 * self.rows * (2 if self.has_bias else 1)


def engine_pieces(graph: Graph) -> dict[str, EnginePiece]:
    """The piece of each matrix that has one, by the weight's name."""
    types = graph.weight_types()
    pieces: dict[str, EnginePiece] = {}
    for op in graph.ops:
        if not isinstance(op, ops.Linear) or op.engine is None or op.engine_rows is None:
            continue
        matrix = types[op.weight]
        assert isinstance(matrix, DenseType), f"{op.weight} is not a matrix"
        engine = Engine(op.engine)
        pieces[op.weight] = EnginePiece(
            weight=op.weight,
            engine=engine,
            rows=op.engine_rows,
            codes_bytes=engine_bytes(engine, op.engine_rows, matrix.depth, matrix.bits),
            has_bias=op.bias is not None,
        )
    return pieces
