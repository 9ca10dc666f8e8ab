"""WorkingSet: how large the rings and scratch buffers are through which a program's data pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aretusa.target.description import MemoryId

TILES_RING: Final = "tiles.ring"
PAGES_RING: Final = "pages.ring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Slots of equal size that loads fill ahead of their use: runtime/include/aretusa/stream.h."""

    memory: MemoryId
    slots: int
    slot_bytes: int

    @property
    def size_bytes(self) -> int:
        """All slots."""
        return self.slots * self.slot_bytes


NO_TILES: Final = Ring(memory=MemoryId.L1, slots=0, slot_bytes=0)
NO_PAGES: Final = Ring(memory=MemoryId.SRAM, slots=0, slot_bytes=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingSet:
    """What the planner chooses so that everything that must lie in L1 does.

    `chunk` is the most new tokens of a step. `tiles` carries blocks of rows for the cluster,
    `pages` rows for N-EUREKA whose home is L3. `sums_bytes` is the most that one of the two buffers
    of the engine's results takes, `scores_bytes` the same for attention's scores; keys and values
    come in tiles of `tile_positions` positions, two at a time.
    """

    chunk: int
    tiles: Ring = NO_TILES
    pages: Ring = NO_PAGES
    sums_bytes: int = 24 * 1024
    scores_bytes: int = 32 * 1024
    tile_positions: int = 64
