"""Buffers of a step: what must lie in L1, then what is touched most; the rest spills to L2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.memory.placement import align, peak_bytes, place
from aretusa.memory.plan import overhead_bytes
from aretusa.plan.packing import pack
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.memory.placement import Buffer, Slot
    from aretusa.target.description import Target

SPILL: Final = (MemoryId.L2, MemoryId.SRAM)  # that cores can address


def place_buffers(wanted: Sequence[Buffer], target: Target) -> dict[MemoryId, list[Slot]] | None:
    """Slots by memory; None if what must lie in L1 does not fit there."""
    capacity = target.memory(MemoryId.L1).capacity_bytes
    bound = place_within([buffer for buffer in wanted if buffer.needs_l1], capacity)
    if bound is None:
        return None
    optional = [buffer for buffer in wanted if not buffer.needs_l1]
    chosen, spilled = _by_worth(bound, optional, capacity)
    arenas: dict[MemoryId, list[Slot]] = {MemoryId.L1: chosen}
    for memory in SPILL:
        room = target.memory(memory).capacity_bytes - overhead_bytes(target.memory(memory))
        arenas[memory], spilled = place(spilled, room)
    return None if spilled else arenas


def place_within(buffers: Sequence[Buffer], capacity_bytes: int) -> list[Slot] | None:
    """All of them in one memory: first fit, and the solver where first fit wastes too much."""
    slots, homeless = place(buffers, sum(align(buffer.size_bytes) for buffer in buffers))
    assert not homeless, "an arena of all buffers side by side is too small"
    if peak_bytes(slots) <= capacity_bytes:
        return slots
    if live_bytes(buffers) > capacity_bytes:
        return None
    return pack(buffers, capacity_bytes)


def live_bytes(buffers: Sequence[Buffer]) -> int:
    """Most bytes that are alive at one step: no arena is smaller."""
    steps = {buffer.first for buffer in buffers}
    return max(
        (sum(align(b.size_bytes) for b in buffers if b.first <= step <= b.last) for step in steps),
        default=0,
    )


def _by_worth(
    bound: list[Slot], optional: Sequence[Buffer], capacity_bytes: int
) -> tuple[list[Slot], list[Buffer]]:
    """Take in what is touched most, as long as it fits around the others."""
    slots, spilled = list(bound), []
    whole, homeless = place(optional, capacity_bytes, bound)
    if not homeless:
        return whole, []
    for buffer in sorted(optional, key=lambda b: (-b.touches, b.size_bytes, b.name)):
        slots, homeless = place([buffer], capacity_bytes, slots)
        spilled += homeless
    return slots, spilled
