"""Where the program and the chip's memories lie in the emulated machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.errors import CapacityError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

# In the order of enum art_memory.
MEMORIES: Final = ("l1", "l2", "sram", "mram", "l3")

PAGE_BYTES: Final = 4096  # QEMU checks a guard of whole pages at no cost
MIB: Final = 1 << 20
RAM_BASE: Final = 0x8000_0000  # QEMU's virt board
RAM_BYTES_MAX: Final = 1 << 31  # what 32-bit addresses leave above RAM_BASE


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryWindow:
    """One memory of the chip as a window of the machine's RAM; absent if it has no bytes."""

    memory: str
    base_address: int
    size_bytes: int
    writable: bool

    @property
    def end_address(self) -> int:
        """First address that is not in the memory."""
        return self.base_address + self.size_bytes

    @property
    def guard_bytes(self) -> int:
        """What one protection entry covers: the least power of two that holds the memory."""
        return guard_bytes(self.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramArea:
    """Where code, constants, data, stacks and the request lie.

    Each area is a power of two and aligned to itself. The bytes below the first stack belong to
    nobody, so that its overflow is seen.
    """

    text_base: int = RAM_BASE
    text_bytes: int = 512 * 1024
    rodata_base: int = RAM_BASE + 0x08_0000
    rodata_bytes: int = 512 * 1024
    data_base: int = RAM_BASE + 0x10_0000
    data_bytes: int = 512 * 1024
    stack_base: int = RAM_BASE + 0x1C_0000
    stack_bytes: int = 16 * 1024  # of each core
    stack_count: int = 8
    request_base: int = RAM_BASE + 0x20_0000
    request_bytes: int = 1 * MIB
    end_address: int = RAM_BASE + 0x30_0000


PROGRAM: Final = ProgramArea()


def guard_bytes(size_bytes: int) -> int:
    """Bytes of the aligned power-of-two block that holds so many bytes; 0 for none."""
    if size_bytes == 0:
        return 0
    return max(PAGE_BYTES, 1 << (size_bytes - 1).bit_length())


def qemu_windows(
    sizes: Mapping[str, int], *, writable: Collection[str] = ("l1", "l2")
) -> tuple[MemoryWindow, ...]:
    """Give each memory of `sizes` (bytes by name) a window; memories that are not named are absent.

    Sizes are rounded up to whole pages. Returns all five, in the order of MEMORIES.
    """
    unknown = sorted(set(sizes) - set(MEMORIES))
    assert not unknown, f"there is no memory {unknown[0]}"  # noqa: S101 - a compiler's bug
    pages = {memory: -(-sizes.get(memory, 0) // PAGE_BYTES) * PAGE_BYTES for memory in MEMORIES}
    bases = dict.fromkeys(MEMORIES, 0)
    address = PROGRAM.end_address
    # Small ones first: the alignment gaps stay small.
    for memory in sorted(MEMORIES, key=lambda name: (pages[name], MEMORIES.index(name))):
        guard = guard_bytes(pages[memory])
        if guard:
            bases[memory] = -(-address // guard) * guard
            # The page after a guarded block stays free, so that an overrun is seen.
            address = bases[memory] + guard + PAGE_BYTES
    if address > RAM_BASE + RAM_BYTES_MAX:
        raise CapacityError(
            "E0407",
            what="the memory map of the emulated machine",
            memory="RAM",
            need_bytes=address - RAM_BASE,
            free_bytes=RAM_BYTES_MAX,
            fix="Store the weights in fewer bits, or take a smaller model.",
        )
    return tuple(
        MemoryWindow(
            memory=memory,
            base_address=bases[memory],
            size_bytes=pages[memory],
            writable=memory in writable,
        )
        for memory in MEMORIES
    )


def ram_bytes(windows: Sequence[MemoryWindow]) -> int:
    """RAM that the emulated machine needs, in whole MiB."""
    end = max(PROGRAM.end_address, *(w.base_address + w.guard_bytes for w in windows))
    return -(-(end - RAM_BASE) // MIB) * MIB
