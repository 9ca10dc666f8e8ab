"""Windows of the emulated machine: aligned for the protection hardware, and apart."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.errors import CapacityError
from aretusa.execution.address_map import (
    MEMORIES,
    MIB,
    PAGE_BYTES,
    PROGRAM,
    RAM_BASE,
    guard_bytes,
    qemu_windows,
    ram_bytes,
)

SIZES = st.dictionaries(st.sampled_from(MEMORIES), st.integers(0, 128 * MIB))


@given(SIZES)
def test_windows_are_guarded_and_apart(sizes: dict[str, int]) -> None:
    windows = qemu_windows(sizes)

    assert tuple(window.memory for window in windows) == MEMORIES
    present = sorted(
        (window for window in windows if window.size_bytes), key=lambda w: w.base_address
    )
    end = PROGRAM.end_address
    for window in present:
        assert window.guard_bytes & (window.guard_bytes - 1) == 0
        assert window.base_address % window.guard_bytes == 0
        assert sizes[window.memory] <= window.size_bytes < sizes[window.memory] + PAGE_BYTES
        assert window.size_bytes <= window.guard_bytes
        assert window.base_address >= end
        end = window.base_address + window.guard_bytes + PAGE_BYTES
    assert ram_bytes(windows) % MIB == 0
    assert RAM_BASE + ram_bytes(windows) >= end - PAGE_BYTES


def test_the_areas_of_the_program_are_guarded_and_apart() -> None:
    areas = [
        (PROGRAM.text_base, PROGRAM.text_bytes),
        (PROGRAM.rodata_base, PROGRAM.rodata_bytes),
        (PROGRAM.data_base, PROGRAM.data_bytes),
        *(
            (PROGRAM.stack_base + i * PROGRAM.stack_bytes, PROGRAM.stack_bytes)
            for i in range(PROGRAM.stack_count)
        ),
        (PROGRAM.request_base, PROGRAM.request_bytes),
    ]
    for base, size in areas:
        assert guard_bytes(size) == size
        assert base % size == 0
    for (base, size), (following, _) in pairwise(areas):
        assert base + size <= following
    assert areas[-1][0] + areas[-1][1] <= PROGRAM.end_address


def test_the_page_below_the_first_stack_belongs_to_nobody() -> None:
    assert PROGRAM.data_base + PROGRAM.data_bytes <= PROGRAM.stack_base - PAGE_BYTES


def test_the_chips_memories_with_a_large_l3() -> None:
    windows = qemu_windows(
        {"l1": 256 * 1024, "l2": 2 * MIB, "sram": 4 * MIB, "mram": 4 * MIB, "l3": 110 * MIB},
        writable=("l1", "l2", "l3"),
    )

    assert [window.writable for window in windows] == [True, True, False, False, True]
    assert windows[4].size_bytes == 110 * MIB
    assert windows[4].guard_bytes == 128 * MIB
    assert ram_bytes(windows) == 256 * MIB


def test_too_much_for_32_bit_addresses_is_said_with_numbers() -> None:
    with pytest.raises(CapacityError) as caught:
        qemu_windows({"l3": 1200 * MIB})
    assert caught.value.code == "E0407"
    assert caught.value.missing_bytes > 0
