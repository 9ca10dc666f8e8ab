"""LinearMapping: how one matrix is divided between N-EUREKA and the cluster, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.neureka.linear import Engine
from aretusa.neureka.registers import TILE_CHANNELS
from aretusa.quantization.schemes import CHANNEL

if TYPE_CHECKING:
    from aretusa.ir.types import DenseType

SPLIT_SHARE: Final = (3, 4)  # of the rows of a divided layer that N-EUREKA takes


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearMapping:
    """The first `engine_rows` output channels run on N-EUREKA, the others on the cluster.

    `reason` says why, for the report.
    """

    engine: Engine
    engine_rows: int
    reason: str


def cluster_mapping(reason: str) -> LinearMapping:
    """Everything on the cluster."""
    return LinearMapping(engine=Engine.CLUSTER, engine_rows=0, reason=reason)


def map_linear(matrix: DenseType, engine: Engine) -> LinearMapping:
    """The mapping that was asked for, or the cluster with the reason why it cannot be."""
    if engine is Engine.CLUSTER:
        return cluster_mapping("asked for")
    if matrix.group != CHANNEL:
        return cluster_mapping("each group along the depth would be a job of its own")
    rows = split_rows(matrix.rows) if engine is Engine.SPLIT else matrix.rows
    if rows == 0:
        return cluster_mapping("too few rows to divide")
    return LinearMapping(engine=engine, engine_rows=rows, reason="asked for")


def split_rows(rows: int) -> int:
    """Rows of a divided matrix that N-EUREKA takes: whole tiles of output channels."""
    share, whole = SPLIT_SHARE
    return rows * share // (whole * TILE_CHANNELS) * TILE_CHANNELS
