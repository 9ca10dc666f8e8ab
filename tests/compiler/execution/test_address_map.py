"""The map of the emulated machine: the chip's addresses, whole pages, nothing twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.errors import CapacityError, UsageError
from aretusa.execution.address_map import (
    MEMORIES,
    MIB,
    PAGE_BYTES,
    RAM_BASE,
    REQUEST_BASE,
    STACK_BYTES,
    STACK_COUNT,
    MachineMap,
    MemoryNeed,
    machine_map,
)
from aretusa.target.load import load_target

CHIP = {memory.id.key: memory for memory in load_target().memories}


def need(memory: str, used_bytes: int = 0, constant_bytes: int = 0, **other: int) -> MemoryNeed:
    chip = CHIP[memory]
    values = {
        "base_address": chip.base_address,
        "size_bytes": chip.size_bytes,
        "reserved_bytes": chip.reserved_bytes,
        **other,
    }
    return MemoryNeed(memory=memory, used_bytes=used_bytes, constant_bytes=constant_bytes, **values)


def map_with(changed: MemoryNeed) -> MachineMap:
    others = [need(memory) for memory in MEMORIES if memory != changed.memory]
    return machine_map([*others, changed])


@st.composite
def all_needs(draw: st.DrawFn) -> list[MemoryNeed]:
    needs = []
    for memory in draw(st.permutations(MEMORIES)):
        used = draw(st.integers(0, CHIP[memory].capacity_bytes))
        constant = draw(st.one_of(st.just(0), st.just(used), st.integers(0, used)))
        needs.append(need(memory, used, constant))
    return needs


@given(all_needs())
def test_the_program_sees_the_chip_s_addresses(needs: list[MemoryNeed]) -> None:
    machine = machine_map(needs)

    assert tuple(window.memory for window in machine.windows) == MEMORIES
    for wish in needs:
        window = machine.window(wish.memory)
        assert window.base_address == CHIP[wish.memory].base_address
        assert wish.used_bytes <= window.size_bytes < wish.used_bytes + PAGE_BYTES
        assert window.read_only_bytes % PAGE_BYTES == 0
        # Nothing writable is protected; at most one page of the image is not.
        if wish.constant_bytes == wish.used_bytes:
            assert window.read_only_bytes == window.size_bytes
        else:
            assert 0 <= wish.constant_bytes - window.read_only_bytes < PAGE_BYTES


@given(all_needs())
def test_nothing_overlaps(needs: list[MemoryNeed]) -> None:
    machine = machine_map(needs)
    areas = [machine.program, machine.stacks, machine.request]

    for key in ("base_address", "ram_address"):
        ranges = [
            (getattr(area, key), getattr(area, key) + area.size_bytes)
            for area in (*machine.windows, *areas)
            if area.size_bytes
        ]
        if key == "ram_address":
            ranges.append((machine.monitor.base_address, machine.monitor.end_address))
        for (_, end), (base, _) in pairwise(sorted(ranges)):
            assert end <= base
        assert all(base % PAGE_BYTES == end % PAGE_BYTES == 0 for base, end in ranges)
        if key == "ram_address":
            assert min(ranges)[0] == RAM_BASE
            assert max(ranges)[1] <= RAM_BASE + machine.ram_bytes
    assert machine.ram_bytes % MIB == 0


@given(all_needs())
def test_what_touches_on_the_chip_touches_in_ram(needs: list[MemoryNeed]) -> None:
    """The monitor passes bytes on that lie in two regions, as one piece of RAM."""
    machine = machine_map(needs)
    areas = [*machine.windows, machine.program, machine.stacks, machine.request]

    for one in areas:
        for two in areas:
            if one.size_bytes and one.base_address + one.size_bytes == two.base_address:
                assert one.ram_address + one.size_bytes == two.ram_address


@given(all_needs())
def test_page_tables_are_enough(needs: list[MemoryNeed]) -> None:
    machine = machine_map(needs)
    touched = {
        address >> 22
        for area in (*machine.windows, machine.program, machine.stacks, machine.request)
        for address in range(area.base_address, area.base_address + area.size_bytes, PAGE_BYTES)
    }

    # A shared root; for each core a root and the last table of its stack.
    assert 1 + len(touched) + 2 * STACK_COUNT <= machine.table_count
    assert machine.monitor.size_bytes >= (machine.table_count + 8) * PAGE_BYTES


def test_program_and_stacks_lie_in_the_reserved_ends() -> None:
    machine = map_with(need("l3"))
    l1, l2 = CHIP["l1"], CHIP["l2"]

    assert machine.stacks.size_bytes == STACK_COUNT * STACK_BYTES
    assert machine.stacks.end_address == l1.base_address + l1.size_bytes
    assert machine.stacks.base_address >= l1.base_address + l1.capacity_bytes
    assert machine.program.end_address == l2.base_address + l2.size_bytes
    assert machine.program.base_address - PAGE_BYTES == l2.base_address + l2.capacity_bytes


def test_a_full_l2_ends_a_page_before_the_program() -> None:
    full = map_with(need("l2", CHIP["l2"].capacity_bytes))

    assert full.program.base_address - full.window("l2").end_address == PAGE_BYTES


@pytest.mark.parametrize("l3_mib", [1, 3, 100, 990, 1005, 1006, 1007, 1008, 1009, 1010, 1013, 1024])
def test_qemu_s_device_tree_overwrites_nothing(l3_mib: int) -> None:
    machine = map_with(need("l3", l3_mib * MIB, size_bytes=1 << 30))
    top = min(RAM_BASE + machine.ram_bytes, 3072 * MIB)

    # riscv_compute_fdt_addr of QEMU, for every size up to FDT_MAX_SIZE.
    for size in (1, 8192, MIB):
        tree = (top - size) // (2 * MIB) * 2 * MIB
        for area in (*machine.windows, machine.program, machine.stacks, machine.request):
            assert area.ram_address + area.size_bytes <= tree or tree + size <= area.ram_address
        assert tree >= machine.monitor.end_address
    assert machine.ram_bytes <= 2048 * MIB


def test_a_large_l3_has_the_page_tables_that_it_needs() -> None:
    machine = map_with(need("l3", 110 * MIB, size_bytes=1 << 30))

    assert machine.window("l3").size_bytes == 110 * MIB
    assert machine.table_count - map_with(need("l3", PAGE_BYTES)).table_count == 27


def test_too_much_for_32_bit_addresses_is_said_with_numbers() -> None:
    size = (1 << 31) + MIB
    with pytest.raises(CapacityError) as caught:
        map_with(need("l3", size, size_bytes=size))
    assert caught.value.code == "E0407"
    assert caught.value.missing_bytes > 0


@pytest.mark.parametrize(
    ("memory", "reserved", "missing"), [("l1", 28672, 4096), ("l2", 4096, 4096), ("l2", 0, 8192)]
)
def test_a_target_without_room_for_the_program_is_refused(
    memory: str, reserved: int, missing: int
) -> None:
    with pytest.raises(CapacityError) as caught:
        map_with(need(memory, reserved_bytes=reserved))
    assert caught.value.code == "E0407"
    assert caught.value.missing_bytes == missing


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (need("sram", base_address=0x1050_0000), "mram ends at 0x10800000, sram begins at"),
        (need("l3", base_address=0x4000_0100), "l3 is not at a page"),
        (need("l3", base_address=0xF800_0000), "l3 is not at a page of 32-bit addresses"),
        (need("l3", base_address=REQUEST_BASE - MIB), "l3 ends at 0x2ff00000, the window of"),
    ],
)
def test_a_memory_map_that_is_none_is_refused(changed: MemoryNeed, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        map_with(changed)
    assert caught.value.code == "E0301"
    assert caught.value.why.startswith(why)


def test_a_plan_that_does_not_fit_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="the plan of l1 does not fit it"):
        map_with(need("l1", CHIP["l1"].capacity_bytes + 1))
