"""The rows of a matrix that run on N-EUREKA: codes in its layout, then numbers per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.placement import align
from aretusa.neureka.bands import Bands
from aretusa.neureka.linear import Engine, engine_bytes
from aretusa.quantization.schemes import CHANNEL, container_bits

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph

FLOAT_BYTES: Final = 4
PIECE_SUFFIX: Final = "#engine"
CODES_FROM_ZERO_BITS: Final = 4  # container of codes that are stored unsigned, around their zero


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePiece:
    """The first `rows` rows of a matrix, as one block of bytes.

    The codes come first. Behind them, aligned: a binary32 scale per row, a binary32 bias per row if
    there is one, and an int32 correction per row where the engine takes no signed inputs. With
    groups along the depth the codes lie in bands, and the scales are binary16, one per row and
    group, behind them minimums alike if there are some, each array padded to 4 bytes.
    """

    weight: str
    engine: Engine
    rows: int
    depth: int
    bits: int
    has_bias: bool
    is_unsigned: bool = False
    group: int = CHANNEL
    has_minimum: bool = False
    has_zeros: bool = False  # what stands in the minimums' place are int16 zero points
    from_zero: bool = False  # codes are not negative

    @property
    def name(self) -> str:
        """Region of the block."""
        return f"{self.weight}{PIECE_SUFFIX}"

    @property
    def row_bytes(self) -> int:
        """Codes of one row."""
        if self.group != CHANNEL:
            return self.bands.row_bytes
        return engine_bytes(self.engine, 1, self.depth, self.bits)

    @property
    def bands(self) -> Bands:
        """Where the codes lie; for a piece with groups."""
        return Bands(
            engine=self.engine,
            rows=self.rows,
            depth=self.depth,
            bits=self.bits,
            group=self.group,
            from_zero=self.from_zero,
        )

    @property
    def band_rows(self) -> int:
        """Rows that units and pages do not part; 0 without groups."""
        return 0 if self.group == CHANNEL else self.bands.band_rows

    @property
    def group_lengths(self) -> list[int]:
        """Columns of each group; without groups the depth."""
        if self.group == CHANNEL:
            return [self.depth]
        return [columns.stop - columns.start for columns in self.bands.columns]

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
        """Arrays behind the codes: scale, minimum, bias, correction."""
        return 1 + self.has_minimum + self.has_bias + self.is_unsigned

    def scales_bytes(self, rows: int) -> int:
        """Scales of some rows, and as many bytes of minimums if there are some."""
        if self.group == CHANNEL:
            return FLOAT_BYTES * rows
        return -(-rows * len(self.group_lengths) // 2) * FLOAT_BYTES

    @property
    def bias_offset(self) -> int:
        """Where the biases start."""
        return self.channels_offset + self.scales_bytes(self.rows) * (1 + self.has_minimum)

    @property
    def size_bytes(self) -> int:
        """The whole block."""
        return self.page_bytes(self.rows)

    def page_bytes(self, rows: int) -> int:
        """The same for some of the rows: what a page of them takes."""
        scales = self.scales_bytes(rows) * (1 + self.has_minimum)
        whole = FLOAT_BYTES * rows * (self.has_bias + self.is_unsigned)
        return align(rows * self.row_bytes) + scales + whole


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
        group=matrix.group,
        has_minimum=matrix.has_minimum,
        has_zeros=matrix.has_zeros,
        from_zero=matrix.zero == 0 and container_bits(matrix.bits) == CODES_FROM_ZERO_BITS,
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
