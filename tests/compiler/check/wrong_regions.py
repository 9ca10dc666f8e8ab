"""Plans whose regions lie wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from changes import refused, with_capacity, with_name, with_region

from aretusa.check.rules import Rule
from aretusa.ir import ops
from aretusa.memory.contents import RegionKind
from aretusa.memory.working_set import TILES_RING
from aretusa.schedule.roll import HIDDEN
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from changes import Wrong

    from aretusa.trace.listing import Listing, Part

CONSTANTS: Final = {RegionKind.WEIGHT, RegionKind.TABLE, RegionKind.TOKENIZER}


def wrong_regions(valid: Listing) -> Iterator[Wrong]:
    """All of them."""
    yield from _single_regions(valid)
    yield from _neighbours(valid)
    yield from _missing(valid)
    yield from _homes(valid)
    yield from _images(valid)
    yield from _capacities(valid)


def _single_regions(valid: Listing) -> Iterator[Wrong]:
    """One region of a wrong size, at a wrong address, alive too short."""
    for region in valid.regions:
        for by in (-32, -1, 1, 32):
            changed = replace(region, size_bytes=region.size_bytes + by)
            wrong = with_region(valid, changed)
            yield refused(f"{region.name} {by:+} bytes", wrong, Rule.SIZE)
        for by in (1, 4, 16):
            changed = replace(region, offset_bytes=region.offset_bytes + by)
            wrong = with_region(valid, changed)
            rules = (Rule.ALIGNED, Rule.CAPACITY, Rule.APART)
            yield refused(f"{region.name} moved by {by}", wrong, *rules)
        last = valid.target.memory(region.memory).capacity_bytes
        far = with_region(valid, replace(region, offset_bytes=last - region.size_bytes // 2))
        yield refused(f"{region.name} over the end", far, Rule.CAPACITY)
        negative = with_region(valid, replace(region, offset_bytes=-32))
        yield refused(f"{region.name} before the start", negative, Rule.CAPACITY)
        if region.kind is RegionKind.BUFFER:
            late = with_region(valid, replace(region, first=region.first + 1, last=region.last + 1))
            early = with_region(valid, replace(region, last=region.last - 1))
            yield refused(f"{region.name} alive too late", late, Rule.ALIVE)
            yield refused(f"{region.name} alive too short", early, Rule.ALIVE)


def _neighbours(valid: Listing) -> Iterator[Wrong]:
    """A region pushed onto what lies there at the same time."""
    for memory in MemoryId:
        fixed = [
            region
            for region in valid.regions
            if region.memory is memory and region.kind is not RegionKind.BUFFER
        ]
        fixed.sort(key=lambda region: region.offset_bytes)
        for one, other in pairwise(fixed):
            onto = with_region(valid, replace(other, offset_bytes=one.offset_bytes))
            yield refused(f"{other.name} on {one.name}", onto, Rule.APART, Rule.IMAGE)
            inside = with_region(valid, replace(one, offset_bytes=other.offset_bytes - 32))
            if one.size_bytes > 32:
                rules = (Rule.APART, Rule.IMAGE, Rule.CAPACITY)
                yield refused(f"{one.name} runs into {other.name}", inside, *rules)
    yield from _buffers_used_together(valid)


def _buffers_used_together(valid: Listing) -> Iterator[Wrong]:
    """Two buffers of one op on the same bytes."""
    regions = {region.name: region for region in valid.regions}
    for part in valid.parts:
        for index, op in enumerate(part.ops):
            out = ops.result(op)
            names = [value.name for value in ops.inputs(op)] + ([out.name] if out else [])
            names = [*dict.fromkeys(names), part.scratch(index)]
            used = [regions[name] for name in names if name in regions]
            for one, other in pairwise(used):
                moved = replace(other, memory=one.memory, offset_bytes=one.offset_bytes)
                rules = (Rule.APART, Rule.HOME, Rule.CAPACITY, Rule.IMAGE)
                yield refused(f"{other.name} on {one.name}", with_region(valid, moved), *rules)
        ring = regions.get(TILES_RING)
        if ring:
            hidden = regions[HIDDEN]
            moved = replace(hidden, memory=MemoryId.L1, offset_bytes=ring.offset_bytes)
            yield refused("hidden states in the ring", with_region(valid, moved), Rule.APART)


def _missing(valid: Listing) -> Iterator[Wrong]:
    for region in valid.regions:
        yield refused(f"no {region.name}", valid.without(region.name), Rule.PRESENT)
        twice = replace(valid, regions=(*valid.regions, region))
        yield refused(f"{region.name} twice", twice, Rule.PRESENT)
        renamed = with_name(valid, region.name, region.name + "x")
        yield refused(f"{region.name} renamed", renamed, Rule.PRESENT)
        kinds = [kind for kind in RegionKind if kind is not region.kind]
        marked = with_region(valid, replace(region, kind=kinds[len(region.name) % len(kinds)]))
        yield refused(f"{region.name} of another kind", marked, Rule.PRESENT)


def _homes(valid: Listing) -> Iterator[Wrong]:
    """A region in a memory that its users do not reach."""
    forbidden = {
        RegionKind.WEIGHT: {MemoryId.L1},
        RegionKind.TABLE: {MemoryId.L1, MemoryId.L3},
        RegionKind.TOKENIZER: {MemoryId.L1},
        RegionKind.CACHE: {MemoryId.L1, MemoryId.MRAM},
        RegionKind.WORKSPACE: {MemoryId.L1, MemoryId.MRAM, MemoryId.L3},
        RegionKind.BUFFER: {MemoryId.MRAM, MemoryId.L3},
        RegionKind.RING: {MemoryId.L2, MemoryId.MRAM, MemoryId.L3},
    }
    in_l1 = {part.scratch(index) for part in valid.parts for index in _l1_scratch(part)}
    for region in valid.regions:
        wrong = set(forbidden[region.kind])
        if region.name.endswith("#engine"):
            wrong |= {MemoryId.L2}
        if region.kind is RegionKind.WEIGHT and region.name not in valid.matrices:
            wrong |= {MemoryId.L3} - ({MemoryId.L3} if valid.working.pages.slots else set())
        if region.name in in_l1:
            wrong |= {MemoryId.L2, MemoryId.SRAM}
        for memory in sorted(wrong):
            moved = with_region(valid, replace(region, memory=memory))
            yield refused(f"{region.name} in {memory.name}", moved, Rule.HOME)


def _l1_scratch(part: Part) -> list[int]:
    touched = (ops.Embed, ops.CacheAppend, ops.CachedAttention, ops.Linear)
    return [index for index, op in enumerate(part.ops) if isinstance(op, touched)]


def _images(valid: Listing) -> Iterator[Wrong]:
    for memory in MemoryId:
        here = sorted(
            (region for region in valid.regions if region.memory is memory),
            key=lambda region: region.offset_bytes,
        )
        constants = [region for region in here if region.kind in CONSTANTS]
        written = [region for region in here if region.kind not in CONSTANTS]
        if memory is not MemoryId.L1 and here:
            first = replace(here[0], offset_bytes=here[0].offset_bytes - 32)
            yield refused(f"{first.name} in the header", with_region(valid, first), Rule.HEADER)
            first = replace(here[0], offset_bytes=0)
            yield refused(f"{first.name} on the header", with_region(valid, first), Rule.HEADER)
        if constants and written:
            gap = written[0].offset_bytes - 32 * (1 + 4096 // 64)
            near = with_region(valid, replace(written[0], offset_bytes=gap))
            yield refused(f"{written[0].name} near the image", near, Rule.IMAGE)
            end = -(-(written[-1].offset_bytes + written[-1].size_bytes) // 32) * 32
            behind = with_region(valid, replace(constants[-1], offset_bytes=end))
            rules = (Rule.IMAGE, Rule.CAPACITY)
            yield refused(f"{constants[-1].name} behind what is written", behind, *rules)


def _capacities(valid: Listing) -> Iterator[Wrong]:
    """A memory 32 bytes smaller than what is used of it."""
    for memory in valid.target.memories:
        ends = [r.offset_bytes + r.size_bytes for r in valid.regions if r.memory is memory.id]
        if ends:
            wrong = with_capacity(valid, memory.id, -(-max(ends) // 32) * 32 - 32)
            yield refused(f"{memory.id.name} too small", wrong, Rule.CAPACITY)
