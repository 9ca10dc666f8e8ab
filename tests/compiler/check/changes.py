"""Listings with one thing changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.memory.working_set import TILES_RING

if TYPE_CHECKING:
    from aretusa.check.rules import Rule
    from aretusa.memory.plan import Region
    from aretusa.memory.working_set import Ring
    from aretusa.target.description import MemoryId
    from aretusa.trace.listing import LinearNumbers, Listing


@dataclass(frozen=True, slots=True)
class Wrong:
    """A listing that must be refused, by one of these rules."""

    what: str
    rules: frozenset[Rule]
    listing: Listing


def refused(what: str, listing: Listing, *rules: Rule) -> Wrong:
    """A listing that one of these rules must refuse."""
    return Wrong(what, frozenset(rules), listing)


def with_region(listing: Listing, changed: Region) -> Listing:
    """The listing with one region changed."""
    regions = tuple(changed if r.name == changed.name else r for r in listing.regions)
    return replace(listing, regions=regions)


def with_name(listing: Listing, name: str, other: str) -> Listing:
    """The listing with a region of another name."""
    regions = tuple(
        replace(region, name=other) if region.name == name else region for region in listing.regions
    )
    return replace(listing, regions=regions)


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
