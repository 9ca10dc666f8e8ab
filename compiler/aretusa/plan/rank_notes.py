"""rank_notes(): ranks of low-rank pairs that could be higher for nothing, or lower for much."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from aretusa.neureka.layout import CHANNELS_3X3, TAPS, packed_gemv_3x3_bytes
from aretusa.neureka.linear import Engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.plan_results import LayerResult

_OUTER: Final = ".low_rank_out"  # of the second factor's name
_TILE: Final = TAPS * CHANNELS_3X3  # inputs that one word of each bit holds
_FEW: Final = _TILE // 8  # ranks above a multiple that hardly pay for a tile of their own


def rank_notes(rows: Sequence[LayerResult]) -> list[str]:
    """One note for each rank that leaves the last tile of a pair's second factor partly empty.

    N-EUREKA stores each row in whole tiles of 252 inputs and reads all of them, so that the second
    factor [rows, rank] is the same up to the next multiple of 252.
    """
    pairs = [row for row in rows if _is_outer(row)]
    counts = Counter(row.depth for row in pairs if row.depth % _TILE)
    return [
        _note(rank, count, [row for row in pairs if row.depth == rank])
        for rank, count in sorted(counts.items())
    ]


def _is_outer(row: LayerResult) -> bool:
    return row.name.endswith(_OUTER) and row.engine == Engine.NEUREKA_3X3.value


def _note(rank: int, count: int, pairs: list[LayerResult]) -> str:
    below, above = rank // _TILE * _TILE, -(-rank // _TILE) * _TILE
    plural = "s" if count > 1 else ""
    said = (
        f"{count} low-rank pair{plural} of rank {rank} on N-EUREKA: up to rank {above} the second "
        f"factor{plural} would be no larger and no slower"
    )
    if below and rank - below <= _FEW:
        less = sum(
            packed_gemv_3x3_bytes(row.rows, rank, row.bits)
            - packed_gemv_3x3_bytes(row.rows, below, row.bits)
            for row in pairs
        )
        said += f"; at rank {below} smaller by {less / 1024:,.1f} KiB"
    return said
