"""What regions a plan must have: name, kind, bytes and memories, computed from the graph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.contents import ROPE_COSINE, ROPE_SINE, TOKENIZER, WORKSPACE, RegionKind
from aretusa.memory.working_set import PAGES_RING, TILES_RING
from aretusa.target.description import MemoryId
from aretusa.trace.attention_steps import AttentionShape
from aretusa.trace.layouts import (
    BLOCK,
    cache_bytes,
    cache_codes_bytes,
    cache_row_bytes,
    packed,
    up,
    value_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.ir.ops import Op
    from aretusa.ir.types import Value
    from aretusa.memory.working_set import Ring
    from aretusa.trace.listing import Listing, Matrix, Part

L1_ONLY: Final = frozenset({MemoryId.L1})
WRITABLE: Final = frozenset({MemoryId.L1, MemoryId.L2, MemoryId.SRAM})  # by the cores
READABLE: Final = frozenset({MemoryId.L2, MemoryId.SRAM, MemoryId.MRAM})  # images, by the cores
COPIED: Final = READABLE | {MemoryId.L3}  # images that only transfers read
CACHED: Final = frozenset({MemoryId.L2, MemoryId.SRAM, MemoryId.L3})
WEIGHT_MEMORY: Final = frozenset({MemoryId.SRAM, MemoryId.MRAM})  # where N-EUREKA reads
EMBED_TOKENS: Final = 8  # rows of the table in the scratch at a time
CORES_MAX: Final = 8
LANES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A region that must be there. A buffer's bytes are the most that any use needs."""

    name: str
    kind: RegionKind
    size_bytes: int
    homes: frozenset[MemoryId]


def expected_regions(listing: Listing) -> dict[str, Expected]:
    """Every region of the program, by name."""
    found: dict[str, Expected] = {}
    everything = (
        *_weights(listing),
        *_tables(listing),
        *_others(listing),
        *_rings(listing),
        *_buffers(listing),
    )
    for one in everything:
        known = found.get(one.name)
        if known is not None:
            size = max(known.size_bytes, one.size_bytes)
            one = replace(known, size_bytes=size, homes=known.homes & one.homes)  # noqa: PLW2901
        found[one.name] = one
    return found


def _weights(listing: Listing) -> Iterator[Expected]:
    linears = [op for op in listing.graph.ops if isinstance(op, ops.Linear)]
    biases = {op.bias for op in linears}
    for weight in listing.graph.weights:
        if weight.name not in biases and not isinstance(weight.type, DenseType):
            size = 4 * weight.type.size
            yield _constant(RegionKind.WEIGHT, weight.name, size, READABLE)
    pages = frozenset({MemoryId.L3}) if listing.working.pages.slots else frozenset()
    for matrix in listing.matrices.values():
        if matrix.engine is not None:
            size = matrix.engine.size_bytes(matrix.engine.rows)
            homes = WEIGHT_MEMORY | pages
            yield _constant(RegionKind.WEIGHT, matrix.engine_region, size, homes)
        if matrix.rest_rows:
            rows = packed(matrix.type, matrix.rest_rows, has_bias=matrix.has_bias)
            yield _constant(RegionKind.WEIGHT, matrix.name, rows.size_bytes, COPIED)


def _tables(listing: Listing) -> Iterator[Expected]:
    size = 4 * listing.graph.context * (listing.graph.rope_dim // 2)
    for name in (ROPE_COSINE, ROPE_SINE):
        yield _constant(RegionKind.TABLE, name, size, READABLE)


def _others(listing: Listing) -> Iterator[Expected]:
    tokenizer, workspace = listing.tokenizer_bytes, listing.workspace_bytes
    yield _constant(RegionKind.TOKENIZER, TOKENIZER, tokenizer, COPIED)
    yield _constant(RegionKind.WORKSPACE, WORKSPACE, workspace, WRITABLE - L1_ONLY)
    for cache in listing.graph.caches:
        size = cache_bytes(cache, listing.graph.context)
        yield _constant(RegionKind.CACHE, cache.name, size, CACHED)


def _constant(kind: RegionKind, name: str, size_bytes: int, homes: frozenset[MemoryId]) -> Expected:
    return Expected(name=name, kind=kind, size_bytes=size_bytes, homes=homes)


def _rings(listing: Listing) -> Iterator[Expected]:
    rings: tuple[tuple[str, Ring, MemoryId], ...] = (
        (TILES_RING, listing.working.tiles, MemoryId.L1),
        (PAGES_RING, listing.working.pages, MemoryId.SRAM),
    )
    for name, ring, home in rings:
        if ring.slots:
            size = ring.slots * ring.slot_bytes
            yield _constant(RegionKind.RING, name, size, frozenset({home}))


def _buffers(listing: Listing) -> Iterator[Expected]:
    for part in listing.parts:
        for index, op in enumerate(part.ops):
            for value, homes in _values(listing, part, op):
                size = value_bytes(value.type, listing.working.chunk)
                yield _constant(RegionKind.BUFFER, value.name, size, homes)
            for row in range(max(1, len(part.layers))):
                size, homes = scratch(listing, part, index, row)
                if size:
                    yield _constant(RegionKind.BUFFER, part.scratch(index), size, homes)


def _values(listing: Listing, part: Part, op: Op) -> Iterator[tuple[Value, frozenset[MemoryId]]]:
    """Values that an op touches; N-EUREKA reads its inputs from L1."""
    out = ops.result(op)
    for value in ops.inputs(op):
        if value.name != listing.graph.tokens.name:
            is_for_engine = isinstance(op, ops.Linear) and _runs_on_engine(listing, part, op)
            is_read = is_for_engine and value == op.src  # type: ignore[union-attr]
            yield value, L1_ONLY if is_read else WRITABLE
    if out is not None:
        yield out, WRITABLE


def _runs_on_engine(listing: Listing, part: Part, op: ops.Linear) -> bool:
    return listing.matrices[part.weight(op.weight, 0)].engine is not None


def scratch(listing: Listing, part: Part, index: int, row: int) -> tuple[int, frozenset[MemoryId]]:
    """Bytes of scratch of an op in a row of its tables, and the memories that serve."""
    op, chunk = part.ops[index], listing.working.chunk
    match op:
        case ops.RmsNormQuantise(src=value) | ops.Quantise(src=value):
            return _quantise_bytes(value, chunk), WRITABLE
        case ops.SiluMulQuantise(gate=value):
            return _quantise_bytes(value, chunk), WRITABLE
        case ops.CacheAppend():
            cache = listing.graph.cache(part.cache(op.cache, row))
            rows = cache.heads * chunk
            return cache_codes_bytes(rows, cache_row_bytes(cache)) + 4 * rows, L1_ONLY
        case ops.CachedAttention():
            return attention_shape(listing, part, op, row).scratch_bytes, L1_ONLY
        case ops.Embed():
            return embed_bytes(listing.matrices[part.weight(op.table, row)]), L1_ONLY
        case ops.Linear():
            return _linear_bytes(listing, part, index, row), L1_ONLY
        case _:
            return 0, WRITABLE


def _quantise_bytes(value: Value, chunk: int) -> int:
    """Maxima of the cores and sums of the lanes for each row, and a row by lanes."""
    rows = value_bytes(value.type, chunk) // (4 * value.type.depth)
    return 4 * (CORES_MAX * rows + LANES * rows + LANES * -(-value.type.depth // LANES))


def attention_shape(
    listing: Listing, part: Part, op: ops.CachedAttention, row: int
) -> AttentionShape:
    """Attention over a whole chunk; the position does not matter for its scratch."""
    cache = listing.graph.cache(part.cache(op.key_cache, row))
    values = listing.graph.cache(part.cache(op.value_cache, row))
    _, heads, dim = op.query.type.dims(listing.working.chunk)
    return AttentionShape(
        tokens=listing.working.chunk,
        heads=cache.heads,
        repeat=heads // cache.heads,
        dim=dim,
        position=0,
        context=listing.graph.context,
        tile_positions=listing.working.tile_positions,
        scores_bytes=listing.working.scores_bytes,
        key_bytes=cache_row_bytes(cache),
        value_bytes=cache_row_bytes(values),
    )


def embed_bytes(matrix: Matrix) -> int:
    """Eight rows of a table, each with its scale or the block it is stored in."""
    engine = matrix.engine.row_bytes + 4 if matrix.engine else 0
    block = packed(matrix.type, BLOCK, has_bias=False).block_bytes if matrix.rest_rows else 0
    return EMBED_TOKENS * max(engine, block)


def _linear_bytes(listing: Listing, part: Part, index: int, row: int) -> int:
    op, numbers = part.ops[index], part.linears[index]
    assert isinstance(op, ops.Linear), f"{op} is no linear layer"
    assert numbers is not None, f"{op.weight} has no sizes"
    engine = listing.matrices[part.weight(op.weight, row)].engine
    if engine is None:
        return 0
    totals = up(numbers.sums_bytes, 32) if engine.group else 0
    return 2 * (up(numbers.sums_bytes, 32) + up(numbers.input_bytes, 32)) + totals
