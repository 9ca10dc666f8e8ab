"""Cycles that the off-chip link is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.cost.transfers import off_chip_cycles

if TYPE_CHECKING:
    from aretusa.target.description import Target


def link_cycles(target: Target, size_bytes: int, *, transfers: int = 1) -> int:
    """So many bytes in so many transfers, each with its set-up; cycles of the cluster's clock."""
    if size_bytes == 0:
        return 0
    each = -(-size_bytes // transfers)
    return transfers * off_chip_cycles(target, each)
