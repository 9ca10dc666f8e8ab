"""rank_notes(): ranks of low-rank pairs that could be higher for nothing, or lower for much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.neureka.layout import (
    CHANNELS_1X1,
    CHANNELS_3X3,
    TAPS,
    packed_1x1_bytes,
    packed_gemv_3x3_bytes,
)
from aretusa.neureka.linear import Engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.plan_results import LayerResult

_OUTER: Final = ".low_rank_out"  # of the second factor's name
# Inputs that the engine stores and reads together, by mode.
_TILES: Final = {Engine.NEUREKA_3X3: TAPS * CHANNELS_3X3, Engine.NEUREKA_1X1: CHANNELS_1X1}
_SHOWN: Final = 4  # ranks of one note


def rank_notes(rows: Sequence[LayerResult]) -> list[str]:
    """Notes on ranks that leave the last tile of a pair's second factor partly empty.

    N-EUREKA stores each row in whole tiles of 252 inputs (3x3) or 32 (1x1) and reads all of them,
    so that the second factor [rows, rank] is the same up to the next multiple.
    """
    notes: list[str] = []
    for engine, tile in _TILES.items():
        pairs = [row for row in rows if row.name.endswith(_OUTER) and row.engine == engine.value]
        partly = [row for row in pairs if row.depth % tile]
        if partly:
            notes.append(_upwards(engine, tile, partly))
        over = [row for row in partly if row.depth > tile and row.depth % tile <= tile // 8]
        if over:
            notes.append(_downwards(engine, tile, over))
    return notes


def _upwards(engine: Engine, tile: int, pairs: list[LayerResult]) -> str:
    ends = [f"{rank} to {-(-rank // tile) * tile}" for rank in sorted({row.depth for row in pairs})]
    plural = "s" if len(pairs) > 1 else ""
    return (
        f"{len(pairs)} low-rank pair{plural} on {engine.value}, tiles of {tile} inputs: higher "
        f"ranks make the second factor{plural} no larger and no slower ({_some(ends)})"
    )


def _downwards(engine: Engine, tile: int, pairs: list[LayerResult]) -> str:
    ends = [f"{rank} to {rank // tile * tile}" for rank in sorted({row.depth for row in pairs})]
    less = sum(
        _stored_bytes(engine, row, row.depth) - _stored_bytes(engine, row, row.depth // tile * tile)
        for row in pairs
    )
    plural = "s" if len(pairs) > 1 else ""
    return (
        f"{len(pairs)} low-rank pair{plural} on {engine.value} just above a multiple of {tile}: "
        f"lower ranks make the second factor{plural} smaller by {less / 1024:,.1f} KiB "
        f"({_some(ends)})"
    )


def _stored_bytes(engine: Engine, row: LayerResult, rank: int) -> int:
    if engine is Engine.NEUREKA_1X1:
        return packed_1x1_bytes(row.rows, rank)
    return packed_gemv_3x3_bytes(row.rows, rank, row.bits)


def _some(ends: list[str]) -> str:
    return ", ".join(ends[:_SHOWN]) + (", ..." if len(ends) > _SHOWN else "")
