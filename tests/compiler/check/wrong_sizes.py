"""Plans with wrong sizes of rings, tiles, units and kernels, and wrong tables of layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from changes import refused, with_numbers, with_ring, with_ring_region

from aretusa.check.rules import Rule
from aretusa.ir import ops
from aretusa.memory.working_set import PAGES_RING, TILES_RING
from aretusa.target.description import MemoryId
from aretusa.trace.layouts import up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from changes import Wrong

    from aretusa.trace.listing import LinearNumbers, Listing


def wrong_sizes(valid: Listing) -> Iterator[Wrong]:
    """All of them."""
    yield from _rings(valid)
    yield from _linears(valid)
    yield from _kernels(valid)
    yield from _tables(valid)


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
            yield refused(f"{name}: {what}, place unchanged", wrong, *rules)
        small = with_ring_region(valid, name, replace(ring, slot_bytes=64))
        yield refused(f"{name}: slots of 64 bytes", small, Rule.RING)
        many = with_ring_region(valid, name, replace(ring, slots=17))
        rules = (Rule.RING, Rule.CAPACITY, Rule.APART)
        yield refused(f"{name}: 17 slots with their place", many, *rules)


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
                yield refused(f"{op.weight}: {what}", wrong, *rules)


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
        yield refused(what, replace(valid, working=changed), *rules)
    graph = replace(valid.graph, chunk_max=valid.graph.chunk_max + 1)
    yield refused("longer steps", replace(valid, graph=graph), Rule.KERNEL)
    graph = replace(valid.graph, context=valid.graph.context + 8)
    yield refused("more context", replace(valid, graph=graph), Rule.SIZE, Rule.KERNEL)
    for name in ("tokenizer_bytes", "workspace_bytes"):
        more = replace(valid, **{name: getattr(valid, name) + 32})
        yield refused(f"more {name}", more, Rule.SIZE)


def _tables(valid: Listing) -> Iterator[Wrong]:
    order = valid.order
    swapped = (order[1], order[0], *order[2:])
    yield refused("swapped layers", replace(valid, order=swapped), Rule.TABLES)
    yield refused("a layer less", replace(valid, order=order[:-1]), Rule.TABLES)
    kind, row = order[-1]
    lost = (*order[:-1], (kind, row + 7))
    yield refused("a row behind the table", replace(valid, order=lost), Rule.TABLES)
    lost = (*order[:-1], (kind + 9, row))
    yield refused("no such kind", replace(valid, order=lost), Rule.TABLES)
