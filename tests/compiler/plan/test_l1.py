"""Buffers of a step: what must lie in L1 does, or there is no plan; the rest spills."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import resized

from aretusa.memory.placement import ALIGN_BYTES, Buffer, align, peak_bytes, place
from aretusa.memory.plan import overhead_bytes
from aretusa.plan.l1 import live_bytes, place_buffers, place_within
from aretusa.plan.packing import pack
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.memory.placement import Slot

SIRACUSA: Final = load_target()
# First fit takes the largest first, which leaves a gap of one unit that nothing fits.
AWKWARD: Final = [
    Buffer("whole", 4 * 32, 0, 4),
    Buffer("early one", 4 * 32, 1, 2),
    Buffer("late", 5 * 32, 3, 4),
    Buffer("early two", 4 * 32, 1, 2),
]


@st.composite
def buffers(draw: st.DrawFn) -> list[Buffer]:
    made = []
    for index in range(draw(st.integers(1, 7))):
        first = draw(st.integers(0, 4))
        made.append(
            Buffer(
                f"b{index}",
                draw(st.integers(1, 400)),
                first,
                draw(st.integers(first, 5)),
                draw(st.booleans()),
                draw(st.integers(1, 5)),
            )
        )
    return made


def check_slots(slots: Sequence[Slot], capacity_bytes: int) -> None:
    for one in slots:
        assert one.offset_bytes % ALIGN_BYTES == 0
        assert 0 <= one.offset_bytes <= one.end_bytes <= capacity_bytes
        for two in slots:
            if one is not two and one.buffer.overlaps(two.buffer):
                assert one.end_bytes <= two.offset_bytes or two.end_bytes <= one.offset_bytes


def needed(wanted: Sequence[Buffer]) -> int:
    """The least arena that any placement could have, by looking at every step."""
    return max(sum(align(b.size_bytes) for b in wanted if b.first <= t <= b.last) for t in range(6))


def test_the_solver_packs_what_first_fit_does_not() -> None:
    capacity = live_bytes(AWKWARD)
    slots, homeless = place(AWKWARD, capacity)
    assert [buffer.name for buffer in homeless] == ["early two"]
    packed = place_within(AWKWARD, capacity)
    assert packed is not None
    check_slots(packed, capacity)
    assert peak_bytes(packed) == capacity
    assert sorted(slot.buffer.name for slot in packed) == sorted(b.name for b in AWKWARD)
    assert len(slots) == 3


def test_first_fit_is_kept_where_it_is_good_enough() -> None:
    roomy = 2 * live_bytes(AWKWARD)
    assert place_within(AWKWARD, roomy) == place(AWKWARD, roomy)[0]


@settings(max_examples=60)
@given(buffers())
def test_packing_keeps_the_laws(wanted: list[Buffer]) -> None:
    capacity = live_bytes(wanted)
    found = pack(wanted, capacity)
    if found is not None:
        check_slots(found, capacity)
        assert [slot.buffer for slot in found] == wanted
    assert pack(wanted, capacity) == found


@given(buffers())
def test_no_arena_is_smaller_than_what_is_alive(wanted: list[Buffer]) -> None:
    assert live_bytes(wanted) == needed(wanted)
    assert place_within(wanted, live_bytes(wanted) - ALIGN_BYTES) is None
    large = sum(align(buffer.size_bytes) for buffer in wanted)
    slots = place_within(wanted, large)
    assert slots is not None
    check_slots(slots, large)


def test_a_buffer_larger_than_the_memory_is_not_packed() -> None:
    assert pack([Buffer("b", 100, 0, 0)], 96) is None


@settings(max_examples=80)
@given(buffers(), st.integers(1, 60), st.integers(0, 60))
def test_every_buffer_has_a_slot_or_there_is_no_plan(
    wanted: list[Buffer], units: int, spill_units: int
) -> None:
    overhead = overhead_bytes(SIRACUSA.memory(MemoryId.L2))
    target = resized(SIRACUSA, l1=32 * units, l2=overhead + 32 * spill_units, sram=8192)
    arenas = place_buffers(wanted, target)
    bound = [buffer for buffer in wanted if buffer.needs_l1]
    if arenas is None:
        return
    slots = [slot for found in arenas.values() for slot in found]
    assert sorted(slot.buffer.name for slot in slots) == sorted(buffer.name for buffer in wanted)
    assert {b.name for b in bound} <= {slot.buffer.name for slot in arenas[MemoryId.L1]}
    for memory, found in arenas.items():
        space = target.memory(memory)
        check_slots(found, space.capacity_bytes - overhead_bytes(space))


def test_what_is_touched_most_stays_in_l1() -> None:
    wanted = [
        Buffer("codes", 64, 0, 1, needs_l1=True),
        Buffer("often", 64, 0, 1, touches=5),
        Buffer("seldom", 64, 0, 1, touches=1),
    ]
    arenas = place_buffers(wanted, resized(SIRACUSA, l1=128))
    assert arenas is not None
    assert [slot.buffer.name for slot in arenas[MemoryId.L1]] == ["codes", "often"]
    assert [slot.buffer.name for slot in arenas[MemoryId.L2]] == ["seldom"]
    assert arenas[MemoryId.SRAM] == []


def test_what_must_lie_in_l1_spills_nowhere() -> None:
    wanted = [Buffer(f"codes{n}", 64, 0, 1, needs_l1=True) for n in range(3)]
    assert place_buffers(wanted, resized(SIRACUSA, l1=191)) is None
    assert place_buffers(wanted, resized(SIRACUSA, l1=192)) is not None
    free = [replace(buffer, needs_l1=False) for buffer in wanted]
    assert place_buffers(free, resized(SIRACUSA, l1=64)) is not None


def test_without_room_anywhere_there_is_no_plan() -> None:
    small = {"l1": 64, "l2": 8192, "sram": 8192}
    assert place_buffers([Buffer("large", 8192, 0, 0)], resized(SIRACUSA, **small)) is None
