"""Laws of first fit: nothing overlaps, nothing is lost, and the peak is exactly what is needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aretusa.memory.placement import ALIGN_BYTES, Buffer, align, peak_bytes, place

CAPACITY_BYTES = 4096


@st.composite
def buffers(draw: st.DrawFn) -> list[Buffer]:
    count = draw(st.integers(1, 12))
    made = []
    for index in range(count):
        first = draw(st.integers(0, 6))
        last = draw(st.integers(first, 8))
        made.append(Buffer(f"b{index}", draw(st.integers(1, 1500)), first, last))
    return made


def unlimited(wanted: list[Buffer]) -> int:
    return sum(align(buffer.size_bytes) for buffer in wanted)


@given(buffers())
def test_live_buffers_never_share_a_byte(wanted: list[Buffer]) -> None:
    slots, _ = place(wanted, CAPACITY_BYTES)
    for one in slots:
        for two in slots:
            if one is not two and one.buffer.overlaps(two.buffer):
                assert one.end_bytes <= two.offset_bytes or two.end_bytes <= one.offset_bytes


@given(buffers())
def test_slots_are_aligned_and_inside(wanted: list[Buffer]) -> None:
    slots, _ = place(wanted, CAPACITY_BYTES)
    for slot in slots:
        assert slot.offset_bytes % ALIGN_BYTES == 0
        assert 0 <= slot.offset_bytes <= slot.end_bytes <= CAPACITY_BYTES


@given(buffers())
def test_every_buffer_has_one_slot_or_is_homeless(wanted: list[Buffer]) -> None:
    slots, homeless = place(wanted, CAPACITY_BYTES)
    assert sorted(b.name for b in (*(s.buffer for s in slots), *homeless)) == sorted(
        b.name for b in wanted
    )


@given(buffers(), st.randoms(use_true_random=False))
def test_the_order_of_the_buffers_does_not_matter(wanted: list[Buffer], random: object) -> None:
    shuffled = list(wanted)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert place(shuffled, CAPACITY_BYTES) == place(wanted, CAPACITY_BYTES)


@given(buffers())
def test_the_peak_is_exactly_the_capacity_that_is_needed(wanted: list[Buffer]) -> None:
    slots, homeless = place(wanted, unlimited(wanted))
    assert homeless == []
    peak = peak_bytes(slots)
    assert place(wanted, peak) == (slots, [])
    assert place(wanted, peak - 1)[1] != []


@given(st.integers(1, 5000))
def test_one_byte_more_than_the_capacity_is_homeless(size_bytes: int) -> None:
    buffer = Buffer("b", size_bytes, 0, 0)
    assert place([buffer], size_bytes)[1] == []
    assert place([buffer], size_bytes - 1) == ([], [buffer])


@given(buffers())
def test_the_peak_holds_what_is_alive_at_any_step(wanted: list[Buffer]) -> None:
    slots, _ = place(wanted, unlimited(wanted))
    for step in range(9):
        alive = [b.size_bytes for b in wanted if b.first <= step <= b.last]
        assert sum(alive) <= peak_bytes(slots)


def test_buffers_that_never_meet_share_their_bytes() -> None:
    slots, _ = place([Buffer("a", 100, 0, 1), Buffer("b", 100, 2, 3)], 100)
    assert [slot.offset_bytes for slot in slots] == [0, 0]


def test_a_small_buffer_fills_a_gap_between_larger_ones() -> None:
    wanted = [
        Buffer("first", 320, 0, 0),
        Buffer("above", 256, 0, 1),
        Buffer("gap", 64, 1, 1),
    ]
    slots, _ = place(wanted, 1024)
    assert {slot.buffer.name: slot.offset_bytes for slot in slots} == {
        "first": 0,
        "above": 320,
        "gap": 0,
    }


@given(st.integers(0, 10**9))
def test_alignment_goes_up_by_less_than_one_step(offset_bytes: int) -> None:
    aligned = align(offset_bytes)
    assert aligned % ALIGN_BYTES == 0
    assert 0 <= aligned - offset_bytes < ALIGN_BYTES
