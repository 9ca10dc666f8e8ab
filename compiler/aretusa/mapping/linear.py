"""LinearMapping: how one matrix is divided between N-EUREKA and the cluster, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aretusa.neureka.linear import Engine
from aretusa.neureka.registers import TILE_CHANNELS
from aretusa.quantization.schemes import CHANNEL

if TYPE_CHECKING:
    from aretusa.ir.types import DenseType

SPLIT_SHARE: Final = (3, 4)  # of the rows of a divided layer that N-EUREKA takes when forced
FINE_SPLIT: Final = 16  # the cluster's share of a divided layer is one in so many tiles, or less


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearMapping:
    """The first `engine_rows` output channels run on N-EUREKA, the others on the cluster.

    `reason` says why, for the report. With `is_packed` the cluster's rows leave out zero columns.
    """

    engine: Engine
    engine_rows: int
    reason: str
    is_packed: bool = False


def cluster_mapping(reason: str) -> LinearMapping:
    """Everything on the cluster."""
    return LinearMapping(engine=Engine.CLUSTER, engine_rows=0, reason=reason)


def packed_mappings(matrix: DenseType, *, is_table: bool) -> list[LinearMapping]:
    """Everything on the cluster without the zero columns, where that is possible.

    Rows that are read as embeddings keep all columns; N-EUREKA knows none without them.
    """
    if matrix.pattern is None or is_table:
        return []
    reason = f"{matrix.pattern[0]}:{matrix.pattern[1]} zero columns left out"
    return [replace(cluster_mapping(reason), is_packed=True)]


def engine_choices(
    matrix: DenseType,
    engine: Engine | None,
    *,
    is_table: bool = False,
    is_unsigned: bool = False,
) -> list[LinearMapping]:
    """The mapping that was asked for; every possible one when `engine` is None.

    `is_table`: rows are read one by one as embeddings too; `is_unsigned`: the engine takes no
    signed inputs.
    """
    packed = packed_mappings(matrix, is_table=is_table)
    if engine is not None:
        asked = map_linear(matrix, engine, is_table=is_table, is_unsigned=is_unsigned)
        return [asked, *(packed if engine is Engine.CLUSTER else ())]
    obstacle = _obstacle(matrix, is_table=is_table, is_unsigned=is_unsigned)
    if obstacle is not None:
        return [cluster_mapping(obstacle), *packed]
    found = [
        LinearMapping(engine=one, engine_rows=matrix.rows, reason="fewest cycles")
        for one in (Engine.NEUREKA_3X3, Engine.NEUREKA_1X1)
    ]
    fine = matrix.rows - matrix.rows // TILE_CHANNELS // FINE_SPLIT * TILE_CHANNELS
    if fine < matrix.rows:
        found.append(LinearMapping(engine=Engine.SPLIT, engine_rows=fine, reason="fewest cycles"))
    return [*found, cluster_mapping("fewest cycles"), *packed]


def map_linear(
    matrix: DenseType, engine: Engine, *, is_table: bool = False, is_unsigned: bool = False
) -> LinearMapping:
    """The mapping that was asked for, or the cluster with the reason why it cannot be."""
    if engine is Engine.CLUSTER:
        return cluster_mapping("asked for")
    obstacle = _obstacle(matrix, is_table=is_table, is_unsigned=is_unsigned)
    if obstacle is not None:
        return cluster_mapping(obstacle)
    rows = split_rows(matrix.rows) if engine is Engine.SPLIT else matrix.rows
    if rows == 0:
        return cluster_mapping("too few rows to divide")
    return LinearMapping(engine=engine, engine_rows=rows, reason="asked for")


def _obstacle(matrix: DenseType, *, is_table: bool, is_unsigned: bool) -> str | None:
    """Why N-EUREKA cannot run a matrix, if it cannot."""
    if matrix.group == CHANNEL:
        return None
    if is_unsigned:
        return "groups along the depth need signed inputs"
    if is_table:
        return "embeddings are read from it, and a row with groups would lie in as many places"
    return None


def split_rows(rows: int) -> int:
    """Rows of a divided matrix that N-EUREKA takes: whole tiles of output channels."""
    share, whole = SPLIT_SHARE
    return rows * share // (whole * TILE_CHANNELS) * TILE_CHANNELS
