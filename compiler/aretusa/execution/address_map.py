"""Where the program and the chip's memories lie, for the program and in the emulated machine.

The program sees the chip's own addresses. The machine keeps the bytes behind them in its RAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aretusa.errors import CapacityError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# In the order of enum art_memory.
MEMORIES: Final = ("l1", "l2", "sram", "mram", "l3")

PAGE_BYTES: Final = 4096
MIB: Final = 1 << 20
RAM_BASE: Final = 0x8000_0000  # QEMU's virt board
RAM_BYTES_MAX: Final = 1 << 31  # what 32-bit addresses leave above RAM_BASE

# QEMU puts its device tree, of up to 1 MiB, at a multiple of 2 MiB below the end of the RAM, but
# never above DEVICE_TREE_END: a place there stays free.
DEVICE_TREE_BYTES: Final = 4 * MIB
DEVICE_TREE_END: Final = 0xC000_0000

STACK_COUNT: Final = 8
STACK_BYTES: Final = 4096  # of each core
REQUEST_BASE: Final = 0x2000_0000  # the chip has nothing there
REQUEST_BYTES: Final = 1 * MIB

_MONITOR_BYTES: Final = 64 * 1024  # without its page tables
_TABLE_SHIFT: Final = 22  # address bits that one page table of the last level resolves


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """One memory of the chip and what a program needs of it, counted from its start."""

    memory: str
    base_address: int
    size_bytes: int
    reserved_bytes: int = 0  # at its end: stacks in L1, the program in L2
    used_bytes: int = 0  # by image, caches and buffers
    constant_bytes: int = 0  # by the image, which comes first


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryWindow:
    """What the program may touch of one memory, in whole pages; absent if it has no bytes."""

    memory: str
    base_address: int
    size_bytes: int
    read_only_bytes: int
    ram_address: int

    @property
    def end_address(self) -> int:
        """First address that is not in the window."""
        return self.base_address + self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Pages that are no memory of their own."""

    base_address: int
    size_bytes: int
    ram_address: int

    @property
    def end_address(self) -> int:
        """First address that is not in the area."""
        return self.base_address + self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineMap:
    """The address space of the program, and the RAM behind it."""

    windows: tuple[MemoryWindow, ...]  # in the order of MEMORIES
    program: Area  # code, constants, data
    stacks: Area  # the first core's is the last
    state: Area  # in L1, between what the plan may use and the stacks
    request: Area
    monitor: Area
    table_count: int
    ram_bytes: int  # in whole MiB

    def window(self, memory: str) -> MemoryWindow:
        """The window of a memory."""
        return self.windows[MEMORIES.index(memory)]


def machine_map(needs: Sequence[MemoryNeed]) -> MachineMap:
    """Place everything; `needs` are all five memories in any order.

    Raises CapacityError (E0407) if something finds no room, UsageError (E0301) for a memory map
    that is none.
    """
    needs = sorted(needs, key=lambda need: need.base_address)
    assert sorted(need.memory for need in needs) == sorted(MEMORIES), "one need per memory"
    _check_addresses(needs)
    tables = _table_count(needs)
    monitor = Area(
        base_address=RAM_BASE,
        size_bytes=_MONITOR_BYTES + tables * PAGE_BYTES,
        ram_address=RAM_BASE,
    )
    request = Area(
        base_address=REQUEST_BASE, size_bytes=REQUEST_BYTES, ram_address=monitor.end_address
    )
    # In the order of the addresses: memories that touch on the chip touch in RAM, too.
    address = request.ram_address + request.size_bytes
    windows: dict[str, MemoryWindow] = {}
    for need in needs:
        size_bytes = _pages(need.size_bytes if need.reserved_bytes else need.used_bytes)
        address = _beside_device_tree(address, size_bytes)
        windows[need.memory] = _window(need, address)
        address += size_bytes
    end = address + DEVICE_TREE_BYTES if address < DEVICE_TREE_END else address
    _check_ram(end - RAM_BASE)
    by_name = {need.memory: need for need in needs}
    return MachineMap(
        windows=tuple(windows[memory] for memory in MEMORIES),
        program=_program(by_name["l2"], windows["l2"].ram_address),
        stacks=_stacks(by_name["l1"], windows["l1"].ram_address),
        state=_state(by_name["l1"], windows["l1"].ram_address),
        request=request,
        monitor=monitor,
        table_count=tables,
        ram_bytes=-(-(end - RAM_BASE) // MIB) * MIB,
    )


def _pages(size_bytes: int) -> int:
    """Bytes of the whole pages that hold so many bytes."""
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES


def _check_addresses(needs: Sequence[MemoryNeed]) -> None:
    """Memories are made of whole pages and lie apart, and apart from the request."""
    ranges = [
        *((need.base_address, need.base_address + need.size_bytes, need.memory) for need in needs),
        (REQUEST_BASE, REQUEST_BASE + REQUEST_BYTES, "the window of the request"),
    ]
    wrong = [name for base, end, name in ranges if base % PAGE_BYTES or end > 1 << 32]
    why = f"{wrong[0]} is not at a page of 32-bit addresses" if wrong else ""
    for (_, end, name), (base, _, following) in pairwise(sorted(ranges)):
        if base < end:
            why = f"{name} ends at {end:#x}, {following} begins at {base:#x}"
    if why:
        raise UsageError(
            "E0301",
            "the memory map of the target cannot be emulated",
            why=why,
            fix="Correct base_address and size_bytes in the target file.",
        )


def _beside_device_tree(address: int, size_bytes: int) -> int:
    """Where so many bytes of RAM may begin, at the address or later."""
    room_end = DEVICE_TREE_END - DEVICE_TREE_BYTES
    return DEVICE_TREE_END if address <= room_end < address + size_bytes else address


def _check_ram(need_bytes: int) -> None:
    if need_bytes > RAM_BYTES_MAX:
        raise CapacityError(
            "E0407",
            what="the memory map of the emulated machine",
            memory="RAM",
            need_bytes=need_bytes,
            free_bytes=RAM_BYTES_MAX,
            fix="Store the weights in fewer bits, or take a smaller model.",
        )


def _table_count(needs: Iterable[MemoryNeed]) -> int:
    """Page tables of the last level, and a root and a table for the stack of each core."""
    slots = {REQUEST_BASE >> _TABLE_SHIFT}
    for need in needs:
        size = need.size_bytes if need.reserved_bytes else need.used_bytes
        first, last = need.base_address, need.base_address + max(size, 1) - 1
        slots |= set(range(first >> _TABLE_SHIFT, (last >> _TABLE_SHIFT) + 1))
    return len(slots) + 1 + 2 * STACK_COUNT


def _window(need: MemoryNeed, ram_address: int) -> MemoryWindow:
    assert need.constant_bytes <= need.used_bytes <= need.size_bytes - need.reserved_bytes, (
        f"the plan of {need.memory} does not fit it"
    )
    is_constant = need.constant_bytes == need.used_bytes
    return MemoryWindow(
        memory=need.memory,
        base_address=need.base_address,
        size_bytes=_pages(need.used_bytes),
        # A page that is shared with something writable is writable.
        read_only_bytes=(
            _pages(need.used_bytes)
            if is_constant
            else need.constant_bytes // PAGE_BYTES * PAGE_BYTES
        ),
        ram_address=ram_address,
    )


def _program(need: MemoryNeed, ram_address: int) -> Area:
    """The reserved end of L2; its first page stays free, so that an overrun of L2 is seen."""
    offset = _pages(need.size_bytes - need.reserved_bytes) + PAGE_BYTES
    size_bytes = need.size_bytes // PAGE_BYTES * PAGE_BYTES - offset
    if size_bytes < PAGE_BYTES:
        raise _too_narrow(need, "the program", 2 * PAGE_BYTES)
    return Area(
        base_address=need.base_address + offset,
        size_bytes=size_bytes,
        ram_address=ram_address + offset,
    )


def _stacks(need: MemoryNeed, ram_address: int) -> Area:
    """The last pages of L1."""
    size_bytes = STACK_COUNT * STACK_BYTES
    offset = need.size_bytes // PAGE_BYTES * PAGE_BYTES - size_bytes
    if offset < _pages(need.size_bytes - need.reserved_bytes):
        raise _too_narrow(need, f"{STACK_COUNT} stacks", size_bytes)
    return Area(
        base_address=need.base_address + offset,
        size_bytes=size_bytes,
        ram_address=ram_address + offset,
    )


def _state(need: MemoryNeed, ram_address: int) -> Area:
    """Whole pages below the stacks; the emulated machine has nothing there, to see overruns."""
    offset = _pages(need.size_bytes - need.reserved_bytes)
    stacks = _stacks(need, ram_address)
    return Area(
        base_address=need.base_address + offset,
        size_bytes=stacks.base_address - need.base_address - offset,
        ram_address=ram_address + offset,
    )


def _too_narrow(need: MemoryNeed, what: str, need_bytes: int) -> CapacityError:
    return CapacityError(
        "E0407",
        what=what,
        memory=f"{need.memory.upper()}'s reserved end",
        need_bytes=need_bytes,
        free_bytes=need.reserved_bytes,
        fix="Give the memory more reserved_bytes in the target file.",
    )
