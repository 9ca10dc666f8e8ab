"""Target and its memories: frozen records filled from a target file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class MemoryId(IntEnum):
    """The memories, numbered as in runtime/include/aretusa/platform.h."""

    L1 = 0
    L2 = 1
    SRAM = 2
    MRAM = 3
    L3 = 4

    @property
    def key(self) -> str:
        """Name in target files, image file names and JSON."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One memory; `reserved_bytes` at its end belong to stacks and code."""

    id: MemoryId
    size_bytes: int
    reserved_bytes: int
    source: str

    @property
    def capacity_bytes(self) -> int:
        """Bytes that weights and buffers may use."""
        return self.size_bytes - self.reserved_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A chip: its memories in the order of MemoryId."""

    name: str
    cores: int
    memories: tuple[Memory, ...]

    def memory(self, memory: MemoryId) -> Memory:
        """The memory of that number."""
        return self.memories[memory]
