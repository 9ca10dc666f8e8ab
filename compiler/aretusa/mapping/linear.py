"""LinearMapping: how one matrix is divided between N-EUREKA and the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from aretusa.neureka.layout import packed_1x1_bytes, packed_gemv_3x3_bytes
from aretusa.neureka.registers import TILE_CHANNELS, Mode
from aretusa.quantization.schemes import CHANNEL

if TYPE_CHECKING:
    from aretusa.ir.types import DenseType


class Engine(StrEnum):
    """What runs a linear layer; the value is what `--engine` takes."""

    CLUSTER = "cluster"
    NEUREKA_1X1 = "neureka-1x1"  # tokens as pixels of a 1x1 convolution
    NEUREKA_3X3 = "neureka-3x3"  # a token as the 3x3 image of a convolution with one output pixel
    SPLIT = "split"  # the first rows on N-EUREKA in 3x3 mode, the others on the cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearMapping:
    """The first `engine_rows` output channels run on N-EUREKA in `mode`, the others on the cluster.

    `reason` says why, for the report.
    """

    engine: Engine
    engine_rows: int
    mode: Mode | None
    reason: str

    def engine_bytes(self, matrix: DenseType) -> int:
        """Bytes of the codes in the engine's layout."""
        match self.mode:
            case None:
                return 0
            case Mode.DENSE_1X1:
                return packed_1x1_bytes(self.engine_rows, matrix.depth)
            case Mode.DENSE_3X3:
                return packed_gemv_3x3_bytes(self.engine_rows, matrix.depth, matrix.bits)
            case Mode.DEPTHWISE_3X3:
                raise AssertionError("no linear layer is depthwise")
            case _:
                assert_never(self.mode)


def cluster_mapping(reason: str) -> LinearMapping:
    """Everything on the cluster."""
    return LinearMapping(engine=Engine.CLUSTER, engine_rows=0, mode=None, reason=reason)


def map_linear(matrix: DenseType, engine: Engine) -> LinearMapping:
    """The mapping that was asked for, or the cluster with the reason why it cannot be."""
    if engine is Engine.CLUSTER:
        return cluster_mapping("asked for")
    if matrix.group != CHANNEL:
        return cluster_mapping("each group along the depth would be a job of its own")
    match engine:
        case Engine.NEUREKA_1X1:
            rows, mode = matrix.rows, Mode.DENSE_1X1
        case Engine.NEUREKA_3X3:
            rows, mode = matrix.rows, Mode.DENSE_3X3
        case Engine.SPLIT:
            rows, mode = split_rows(matrix.rows), Mode.DENSE_3X3
            if rows == 0:
                return cluster_mapping("too few rows to divide")
        case _:
            assert_never(engine)
    return LinearMapping(engine=engine, engine_rows=rows, mode=mode, reason="asked for")


def split_rows(rows: int) -> int:
    """Rows of a divided matrix that N-EUREKA takes: whole tiles of output channels, about 3/4."""
    tiles = rows * SPLIT_SHARE_QUARTERS // (4 * TILE_CHANNELS)
    return min(tiles * TILE_CHANNELS, rows)


SPLIT_SHARE_QUARTERS: Final = 3
