"""check_places(): every region where it belongs, and no two alive at the same time on one byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.check.expected import expected_regions
from aretusa.check.limits import check_limits
from aretusa.check.liveness import check_alive, spans
from aretusa.check.rules import Rule, refusal, require
from aretusa.memory.contents import RegionKind
from aretusa.target.description import MemoryId
from aretusa.trace.layouts import up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aretusa.check.liveness import Span
    from aretusa.memory.plan import Region
    from aretusa.target.description import Memory
    from aretusa.trace.listing import Listing

BEAT: Final = 32  # bytes of the weight port and of the engine's port to L1
PAGE: Final = 4096  # of an emulated memory: read-only or not as a whole
IMAGE_CHUNK: Final = 65536
CONSTANTS: Final = {RegionKind.WEIGHT, RegionKind.TABLE, RegionKind.TOKENIZER}


def check_places(listing: Listing) -> None:
    """Refuse a plan whose places break a rule."""
    _check_tables(listing)
    _check_contents(listing)
    for memory in listing.target.memories:
        here = [region for region in listing.regions if region.memory is memory.id]
        _check_memory(memory, here)
    check_limits(listing)
    check_alive(listing)
    _check_apart(listing)


def _check_tables(listing: Listing) -> None:
    """Each layer's row of its kind's tables is its own."""
    layers = sorted({op.layer for op in listing.graph.ops if op.layer is not None})
    require(
        len(layers) == len(listing.order),
        Rule.TABLES,
        "the order of layers",
        f"{len(listing.order)} layers run, the graph has {len(layers)}",
    )
    for layer, (kind, row) in zip(layers, listing.order, strict=True):
        is_known = kind + 2 < len(listing.parts) and row < len(listing.parts[1 + kind].layers)
        is_own = is_known and listing.parts[1 + kind].layers[row] == layer
        require(is_own, Rule.TABLES, f"layer {layer}", f"row {row} of kind {kind}")


def _check_contents(listing: Listing) -> None:
    """Exactly the regions that the graph needs, with their bytes, each in a memory that serves."""
    expected = expected_regions(listing)
    seen: set[str] = set()
    for region in listing.regions:
        require(region.name not in seen, Rule.PRESENT, region.name, "two regions of that name")
        require(region.name in expected, Rule.PRESENT, region.name, "nothing uses it")
        seen.add(region.name)
        wanted = expected[region.name]
        require(
            region.kind is wanted.kind,
            Rule.PRESENT,
            region.name,
            f"marked as {region.kind.value}, used as {wanted.kind.value}",
        )
        require(
            region.size_bytes == wanted.size_bytes,
            Rule.SIZE,
            region.name,
            f"{region.size_bytes} bytes, needed are {wanted.size_bytes}",
        )
        homes = ", ".join(home.name for home in sorted(wanted.homes))
        require(
            region.memory in wanted.homes,
            Rule.HOME,
            region.name,
            f"lies in {region.memory.name}, may lie in {homes}",
        )
    missing = sorted(expected.keys() - seen)
    require(not missing, Rule.PRESENT, missing[0] if missing else "", "no region of that name")


def _check_memory(memory: Memory, regions: list[Region]) -> None:
    """Bounds, alignment and the image of one memory."""
    capacity = memory.size_bytes - memory.reserved_bytes
    for region in regions:
        end = region.offset_bytes + region.size_bytes
        require(
            0 <= region.offset_bytes <= end <= capacity,
            Rule.CAPACITY,
            region.name,
            f"bytes {region.offset_bytes} to {end} of {memory.id.name}, which has {capacity}",
        )
        require(
            region.offset_bytes % BEAT == 0,
            Rule.ALIGNED,
            region.name,
            f"starts {region.offset_bytes % BEAT} bytes behind a beat",
        )
    if memory.id is not MemoryId.L1:
        _check_image(memory, regions)


def image_header_bytes(capacity_bytes: int) -> int:
    """Header and table of the largest image of a memory: runtime/include/aretusa/image.h."""
    return up(64 + 4 * -(-capacity_bytes // IMAGE_CHUNK), 64)


def _check_image(memory: Memory, regions: list[Region]) -> None:
    header = image_header_bytes(memory.size_bytes - memory.reserved_bytes)
    constants = [region for region in regions if region.kind in CONSTANTS]
    for region in regions:
        require(
            region.offset_bytes >= header,
            Rule.HEADER,
            region.name,
            f"starts at {region.offset_bytes}, the header of {memory.id.name} has {header} bytes",
        )
    image_end = max((region.offset_bytes + region.size_bytes for region in constants), default=0)
    for region in regions:
        is_behind = region.kind in CONSTANTS or region.offset_bytes >= image_end + PAGE
        require(
            is_behind or not constants,
            Rule.IMAGE,
            region.name,
            f"written from {region.offset_bytes} on, the image of {memory.id.name} ends at"
            f" {image_end}",
        )


def _check_apart(listing: Listing) -> None:
    """Sweep each memory: regions that share bytes are never alive at the same time."""
    alive = spans(listing)
    for memory in listing.target.memories:
        here = [r for r in listing.regions if r.memory is memory.id and r.size_bytes]
        for one, other in _overlaps(here):
            when = _meeting(one, other, alive)
            if when is not None:
                raise refusal(
                    Rule.APART,
                    f"{one.name} and {other.name}",
                    f"{one.offset_bytes} to {one.offset_bytes + one.size_bytes} and"
                    f" {other.offset_bytes} to {other.offset_bytes + other.size_bytes} of"
                    f" {memory.id.name}, both alive in epoch {when}",
                )


def _overlaps(regions: list[Region]) -> Iterator[tuple[Region, Region]]:
    """Pairs of regions with a byte in common."""
    open_regions: list[Region] = []
    for region in sorted(regions, key=lambda r: r.offset_bytes):
        start = region.offset_bytes
        open_regions = [r for r in open_regions if r.offset_bytes + r.size_bytes > start]
        for other in open_regions:
            yield other, region
        open_regions.append(region)


def _meeting(one: Region, other: Region, alive: Mapping[str, list[Span]]) -> int | None:
    """The first epoch in which both are alive; what has no spans always is."""
    if one.name not in alive:
        return alive[other.name][0][0] if other.name in alive else 0
    if other.name not in alive:
        return alive[one.name][0][0]
    for first, last in alive[one.name]:
        for start, end in alive[other.name]:
            if first <= end and start <= last:
                return max(first, start)
    return None
