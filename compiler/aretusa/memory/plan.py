"""MemoryPlan: the place of every constant, cache, ring and buffer, once their homes are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.memory.contents import RegionKind
from aretusa.memory.placement import align
from aretusa.memory.working_set import PAGES_RING, TILES_RING
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aretusa.memory.contents import Content
    from aretusa.memory.placement import Slot
    from aretusa.memory.working_set import WorkingSet
    from aretusa.target.description import Memory, Target

IMAGE_HEADER_BYTES: Final = 64
IMAGE_CHUNK_BYTES: Final = 65536
GAP_BYTES: Final = 4096  # free behind an image: no page of an emulated memory is half read-only


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Bytes with a name. Buffers are alive from epoch `first` to `last`; the rest always."""

    name: str
    kind: RegionKind
    memory: MemoryId
    offset_bytes: int
    size_bytes: int
    first: int = 0
    last: int = -1

    @property
    def end_bytes(self) -> int:
        """First byte after the region."""
        return self.offset_bytes + self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Where everything lies. Constants of a memory stand first, behind its image header."""

    target: Target
    working: WorkingSet
    regions: tuple[Region, ...]

    def region(self, name: str) -> Region:
        """The region of that name."""
        return next(region for region in self.regions if region.name == name)

    def find(self, name: str) -> Region | None:
        """The region of that name, if there is one."""
        return next((region for region in self.regions if region.name == name), None)

    def by_name(self) -> dict[str, Region]:
        """Regions by name."""
        return {region.name: region for region in self.regions}

    def within(self, memory: MemoryId) -> list[Region]:
        """Regions of one memory by offset."""
        found = [region for region in self.regions if region.memory is memory]
        return sorted(found, key=lambda region: (region.offset_bytes, region.name))

    def constants(self, memory: MemoryId) -> list[Region]:
        """Regions of one memory that its image holds."""
        return [region for region in self.within(memory) if region.kind.is_constant]

    def used_bytes(self, memory: MemoryId) -> int:
        """Bytes up to the end of the last region."""
        return max((region.end_bytes for region in self.within(memory)), default=0)


def image_header_bytes(capacity_bytes: int) -> int:
    """Header and CRC table of an image of any size up to the capacity."""
    words = -(-capacity_bytes // IMAGE_CHUNK_BYTES)
    return -(-(IMAGE_HEADER_BYTES + 4 * words) // 64) * 64


def overhead_bytes(memory: Memory) -> int:
    """What no content may use: the image's header, and the gap behind an image."""
    match memory.id:
        case MemoryId.L1:
            return 0
        case MemoryId.MRAM:
            return image_header_bytes(memory.capacity_bytes)
        case MemoryId.L2 | MemoryId.SRAM | MemoryId.L3:
            return image_header_bytes(memory.capacity_bytes) + GAP_BYTES


def lay_out(
    target: Target,
    working: WorkingSet,
    contents: Sequence[Content],
    homes: Mapping[str, MemoryId],
    arenas: Mapping[MemoryId, Sequence[Slot]],
) -> MemoryPlan:
    """Give every byte its offset, once each content has a home and each buffer an arena."""
    regions: list[Region] = []
    for memory in target.memories:
        start = 0 if memory.id is MemoryId.L1 else image_header_bytes(memory.capacity_bytes)
        here = [content for content in contents if homes[content.name] is memory.id]
        placed = _stack(memory.id, here, start)
        end = align(placed[-1].end_bytes) if placed else start
        if placed and placed[-1].kind.is_constant:
            end += GAP_BYTES
        if working.pages.size_bytes and memory.id is working.pages.memory:
            placed.append(_ring(working, end))
            end = align(placed[-1].end_bytes)
        placed += _arena(memory.id, arenas.get(memory.id, ()), end)
        regions += placed
    return MemoryPlan(target=target, working=working, regions=tuple(regions))


def _stack(memory: MemoryId, contents: Iterable[Content], start: int) -> list[Region]:
    """Constants first, behind the header; caches and workspace behind the gap."""
    regions: list[Region] = []
    cursor = start
    is_behind_image = False
    for content in sorted(contents, key=lambda content: not content.kind.is_constant):
        if not content.kind.is_constant and not is_behind_image:
            cursor, is_behind_image = cursor + GAP_BYTES, True
        regions.append(
            Region(
                name=content.name,
                kind=content.kind,
                memory=memory,
                offset_bytes=cursor,
                size_bytes=content.size_bytes,
            )
        )
        cursor = align(cursor + content.size_bytes)
    return regions


def _ring(working: WorkingSet, offset_bytes: int) -> Region:
    return Region(
        name=PAGES_RING,
        kind=RegionKind.RING,
        memory=working.pages.memory,
        offset_bytes=offset_bytes,
        size_bytes=working.pages.size_bytes,
    )


def _arena(memory: MemoryId, slots: Iterable[Slot], start: int) -> list[Region]:
    return [
        Region(
            name=slot.buffer.name,
            kind=RegionKind.RING if slot.buffer.name == TILES_RING else RegionKind.BUFFER,
            memory=memory,
            offset_bytes=start + slot.offset_bytes,
            size_bytes=slot.buffer.size_bytes,
            first=slot.buffer.first,
            last=slot.buffer.last,
        )
        for slot in slots
    ]
