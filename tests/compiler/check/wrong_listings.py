"""Valid plans made wrong, each in one way, with the rules that may refuse it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aretusa.check.rules import Rule
from aretusa.ir import ops
from aretusa.memory.contents import RegionKind
from aretusa.memory.working_set import PAGES_RING, TILES_RING, Ring
from aretusa.schedule.roll import HIDDEN
from aretusa.target.description import MemoryId
from aretusa.trace.layouts import up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.memory.plan import Region
    from aretusa.trace.listing import LinearNumbers, Listing, Part

CONSTANTS: Final = {RegionKind.WEIGHT, RegionKind.TABLE, RegionKind.TOKENIZER}


@dataclass(frozen=True, slots=True)
class Wrong:
    """A listing that must be refused, by one of these rules."""

    what: str
    rules: frozenset[Rule]
    listing: Listing


def wrong_listings(valid: Listing) -> Iterator[Wrong]:
    """All of them."""
    yield from _single_regions(valid)
    yield from _neighbours(valid)
    yield from _missing(valid)
    yield from _homes(valid)
    yield from _images(valid)
    yield from _capacities(valid)
    yield from _rings(valid)
    yield from _linears(valid)
    yield from _kernels(valid)
    yield from _tables(valid)


def with_region(listing: Listing, changed: Region) -> Listing:
    """The listing with one region changed."""
    regions = tuple(changed if r.name == changed.name else r for r in listing.regions)
    return replace(listing, regions=regions)


def _wrong(what: str, listing: Listing, *rules: Rule) -> Wrong:
    return Wrong(what, frozenset(rules), listing)


def _single_regions(valid: Listing) -> Iterator[Wrong]:
    """One region of a wrong size, at a wrong address, alive too short."""
    for region in valid.regions:
        for by in (-32, -1, 1, 32):
            changed = replace(region, size_bytes=region.size_bytes + by)
            wrong = with_region(valid, changed)
            yield _wrong(f"{region.name} {by:+} bytes", wrong, Rule.SIZE)
        for by in (1, 4, 16):
            changed = replace(region, offset_bytes=region.offset_bytes + by)
            wrong = with_region(valid, changed)
            rules = (Rule.ALIGNED, Rule.CAPACITY, Rule.APART)
            yield _wrong(f"{region.name} moved by {by}", wrong, *rules)
        last = valid.target.memory(region.memory).capacity_bytes
        far = with_region(valid, replace(region, offset_bytes=last - region.size_bytes // 2))
        yield _wrong(f"{region.name} over the end", far, Rule.CAPACITY)
        negative = with_region(valid, replace(region, offset_bytes=-32))
        yield _wrong(f"{region.name} before the start", negative, Rule.CAPACITY)
        if region.kind is RegionKind.BUFFER:
            late = with_region(valid, replace(region, first=region.first + 1, last=region.last + 1))
            early = with_region(valid, replace(region, last=region.last - 1))
            yield _wrong(f"{region.name} alive too late", late, Rule.ALIVE)
            yield _wrong(f"{region.name} alive too short", early, Rule.ALIVE)


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
            yield _wrong(f"{other.name} on {one.name}", onto, Rule.APART, Rule.IMAGE)
            inside = with_region(valid, replace(one, offset_bytes=other.offset_bytes - 32))
            if one.size_bytes > 32:
                rules = (Rule.APART, Rule.IMAGE, Rule.CAPACITY)
                yield _wrong(f"{one.name} runs into {other.name}", inside, *rules)
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
                yield _wrong(f"{other.name} on {one.name}", with_region(valid, moved), *rules)
        ring = regions.get(TILES_RING)
        if ring:
            hidden = regions[HIDDEN]
            moved = replace(hidden, memory=MemoryId.L1, offset_bytes=ring.offset_bytes)
            yield _wrong("hidden states in the ring", with_region(valid, moved), Rule.APART)


def _missing(valid: Listing) -> Iterator[Wrong]:
    for region in valid.regions:
        yield _wrong(f"no {region.name}", valid.without(region.name), Rule.PRESENT)
        twice = replace(valid, regions=(*valid.regions, region))
        yield _wrong(f"{region.name} twice", twice, Rule.PRESENT)
        renamed = with_name(valid, region.name, region.name + "x")
        yield _wrong(f"{region.name} renamed", renamed, Rule.PRESENT)
        kinds = [kind for kind in RegionKind if kind is not region.kind]
        marked = with_region(valid, replace(region, kind=kinds[len(region.name) % len(kinds)]))
        yield _wrong(f"{region.name} of another kind", marked, Rule.PRESENT)


def with_name(listing: Listing, name: str, other: str) -> Listing:
    """The listing with a region of another name."""
    regions = tuple(
        replace(region, name=other) if region.name == name else region for region in listing.regions
    )
    return replace(listing, regions=regions)


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
            yield _wrong(f"{region.name} in {memory.name}", moved, Rule.HOME)


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
            yield _wrong(f"{first.name} in the header", with_region(valid, first), Rule.HEADER)
            first = replace(here[0], offset_bytes=0)
            yield _wrong(f"{first.name} on the header", with_region(valid, first), Rule.HEADER)
        if constants and written:
            gap = written[0].offset_bytes - 32 * (1 + 4096 // 64)
            near = with_region(valid, replace(written[0], offset_bytes=gap))
            yield _wrong(f"{written[0].name} near the image", near, Rule.IMAGE)
            end = -(-(written[-1].offset_bytes + written[-1].size_bytes) // 32) * 32
            behind = with_region(valid, replace(constants[-1], offset_bytes=end))
            rules = (Rule.IMAGE, Rule.CAPACITY)
            yield _wrong(f"{constants[-1].name} behind what is written", behind, *rules)


def _capacities(valid: Listing) -> Iterator[Wrong]:
    """A memory 32 bytes smaller than what is used of it."""
    for memory in valid.target.memories:
        ends = [r.offset_bytes + r.size_bytes for r in valid.regions if r.memory is memory.id]
        if ends:
            wrong = with_capacity(valid, memory.id, -(-max(ends) // 32) * 32 - 32)
            yield _wrong(f"{memory.id.name} too small", wrong, Rule.CAPACITY)


def with_capacity(listing: Listing, memory: MemoryId, capacity_bytes: int) -> Listing:
    """The listing for a target where a memory has so many bytes besides what is reserved."""
    target = listing.target
    memories = tuple(
        replace(known, size_bytes=capacity_bytes + known.reserved_bytes)
        if known.id is memory
        else known
        for known in target.memories
    )
    return replace(listing, target=replace(target, memories=memories))


def _rings(valid: Listing) -> Iterator[Wrong]:
    rings = {
        name: ring
        for name, ring in (
            (TILES_RING, valid.working.tiles),
            (PAGES_RING, valid.working.pages),
        )
        if ring.slots
    }
    for name, ring in rings.items():
        changes = {
            "a slot less": replace(ring, slots=ring.slots - 1),
            "a slot more": replace(ring, slots=ring.slots + 1),
            "17 slots": replace(ring, slots=17),
            "larger slots": replace(ring, slot_bytes=ring.slot_bytes + 32),
            "smaller slots": replace(ring, slot_bytes=ring.slot_bytes - 32),
            "crooked slots": replace(ring, slot_bytes=ring.slot_bytes + 4),
        }
        for what, changed in changes.items():
            wrong = with_ring(valid, name, changed)
            rules = (Rule.SIZE, Rule.RING, Rule.PRESENT, Rule.HOME)
            yield _wrong(f"{name}: {what}, place unchanged", wrong, *rules)
        small = with_ring_region(valid, name, replace(ring, slot_bytes=64))
        yield _wrong(f"{name}: slots of 64 bytes", small, Rule.RING)
        many = with_ring_region(valid, name, replace(ring, slots=17))
        rules = (Rule.RING, Rule.CAPACITY, Rule.APART)
        yield _wrong(f"{name}: 17 slots with their place", many, *rules)


def with_ring(listing: Listing, name: str, ring: Ring) -> Listing:
    """The listing with a ring of another size, in the same place."""
    changes = {"tiles" if name == TILES_RING else "pages": ring}
    return replace(listing, working=replace(listing.working, **changes))


def with_ring_region(listing: Listing, name: str, ring: Ring) -> Listing:
    """The same, and a place of that size."""
    region = next(region for region in listing.regions if region.name == name)
    changed = with_region(listing, replace(region, size_bytes=ring.size_bytes))
    return with_ring(changed, name, ring)


def with_numbers(listing: Listing, place: tuple[int, int], numbers: LinearNumbers) -> Listing:
    """The listing with other sizes of one linear layer: part and number of the op."""
    parts = list(listing.parts)
    linears = list(parts[place[0]].linears)
    linears[place[1]] = numbers
    parts[place[0]] = replace(parts[place[0]], linears=tuple(linears))
    return replace(listing, parts=tuple(parts))


def _linears(valid: Listing) -> Iterator[Wrong]:
    for number, part in enumerate(valid.parts):
        for index, (op, numbers) in enumerate(zip(part.ops, part.linears, strict=True)):
            if numbers is None or not isinstance(op, ops.Linear):
                continue
            matrix = valid.matrices[part.weight(op.weight, 0)]
            changes: dict[str, LinearNumbers] = {}
            if matrix.rest_rows:
                changes |= _wrong_tiles(numbers)
            if matrix.engine is not None:
                changes |= _wrong_units(numbers, matrix.engine.rows)
                if _size(valid, part.scratch(index)) == _scratch_bytes(numbers):
                    changes |= _larger_units(numbers)
                engine_home = _memory(valid, matrix.engine_region)
                if engine_home is MemoryId.L3:
                    changes |= _wrong_pages(numbers)
            for what, changed in changes.items():
                wrong = with_numbers(valid, (number, index), changed)
                rules = (Rule.RING, Rule.UNIT, Rule.SIZE, Rule.STREAM, Rule.PRESENT)
                yield _wrong(f"{op.weight}: {what}", wrong, *rules)


def _memory(listing: Listing, name: str) -> MemoryId:
    return next(region.memory for region in listing.regions if region.name == name)


def _size(listing: Listing, name: str) -> int:
    return next(region.size_bytes for region in listing.regions if region.name == name)


def _wrong_tiles(numbers: LinearNumbers) -> dict[str, LinearNumbers]:
    rows = numbers.tile_rows
    return {
        "no tiles": replace(numbers, tile_rows=0),
        "crooked tiles": replace(numbers, tile_rows=rows - 1),
        "tiles of four rows": replace(numbers, tile_rows=4),
    }


def _wrong_pages(numbers: LinearNumbers) -> dict[str, LinearNumbers]:
    rows = numbers.slice_rows
    return {
        "no pages": replace(numbers, slice_rows=0),
        "crooked pages": replace(numbers, slice_rows=rows - 8),
    }


def _wrong_units(numbers: LinearNumbers, rows: int) -> dict[str, LinearNumbers]:
    found = {
        "no room for sums": replace(numbers, sums_bytes=0),
        "no block": replace(numbers, block_rows=0),
    }
    if rows > 32:
        found["crooked blocks"] = replace(numbers, block_rows=24)
    if numbers.input_bytes:
        found["less room for inputs"] = replace(numbers, input_bytes=numbers.input_bytes - 64)
    return found


def _scratch_bytes(numbers: LinearNumbers) -> int:
    return 2 * (up(numbers.sums_bytes, 32) + up(numbers.input_bytes, 32))


def _larger_units(numbers: LinearNumbers) -> dict[str, LinearNumbers]:
    """Buffers that the scratch is too small for."""
    return {
        "more room for sums": replace(numbers, sums_bytes=numbers.sums_bytes + 64),
        "more room for inputs": replace(numbers, input_bytes=numbers.input_bytes + 64),
    }


def _kernels(valid: Listing) -> Iterator[Wrong]:
    working = valid.working
    changes = {
        "a longer chunk": replace(working, chunk=working.chunk + 1),
        "tiles of 12 positions": replace(working, tile_positions=12),
        "no positions": replace(working, tile_positions=0),
        "more positions": replace(working, tile_positions=working.tile_positions + 8),
        "no room for scores": replace(working, scores_bytes=16),
    }
    for what, changed in changes.items():
        rules = (Rule.KERNEL, Rule.SIZE)
        yield _wrong(what, replace(valid, working=changed), *rules)
    graph = replace(valid.graph, chunk_max=valid.graph.chunk_max + 1)
    yield _wrong("longer steps", replace(valid, graph=graph), Rule.KERNEL)
    graph = replace(valid.graph, context=valid.graph.context + 8)
    yield _wrong("more context", replace(valid, graph=graph), Rule.SIZE, Rule.KERNEL)
    for name in ("tokenizer_bytes", "workspace_bytes"):
        more = replace(valid, **{name: getattr(valid, name) + 32})
        yield _wrong(f"more {name}", more, Rule.SIZE)


def _tables(valid: Listing) -> Iterator[Wrong]:
    order = valid.order
    swapped = (order[1], order[0], *order[2:])
    yield _wrong("swapped layers", replace(valid, order=swapped), Rule.TABLES)
    yield _wrong("a layer less", replace(valid, order=order[:-1]), Rule.TABLES)
    kind, row = order[-1]
    lost = (*order[:-1], (kind, row + 7))
    yield _wrong("a row behind the table", replace(valid, order=lost), Rule.TABLES)
    lost = (*order[:-1], (kind + 9, row))
    yield _wrong("no such kind", replace(valid, order=lost), Rule.TABLES)
