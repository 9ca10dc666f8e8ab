"""check_limits(): slots hold their loads, units their buffers, kernels their shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.check.expected import attention_shape
from aretusa.check.rules import Rule, require
from aretusa.ir import ops
from aretusa.target.description import MemoryId
from aretusa.trace.layouts import BLOCK, TILE_3X3, TILE_OUT, packed
from aretusa.trace.units import UnitPlan

if TYPE_CHECKING:
    from aretusa.memory.working_set import Ring
    from aretusa.trace.layouts import EngineRows
    from aretusa.trace.listing import LinearNumbers, Listing, Matrix, Part

BEAT: Final = 32
SLOTS_MAX: Final = 16  # ART_RING_SLOTS_MAX
CONTEXT_MAX: Final = 4096  # ART_ATTENTION_CONTEXT_MAX
HEAD_DIM_MAX: Final = 256  # ART_HEAD_DIM_MAX, where a head's row is normalised
TILES_MAX: Final = 1 << 16  # counts of tiles have 16 bits in the engine's registers
ACCUMULATOR: Final = 1 << 31
LARGEST_INPUT: Final = 127  # magnitude of an activation's code
UNSIGNED_INPUT: Final = 255  # the same where the engine is given code + 128


def check_limits(listing: Listing) -> None:
    """Refuse sizes that a kernel, a ring or the engine cannot work with."""
    working, graph = listing.working, listing.graph
    require(
        working.chunk == graph.chunk_max >= 1,
        Rule.KERNEL,
        "the chunk",
        f"buffers for {working.chunk} tokens, steps of {graph.chunk_max}",
    )
    for name, ring in (("tiles", working.tiles), ("pages", working.pages)):
        _check_ring(name, ring)
    for layer, (kind, row) in enumerate(listing.order):
        part = listing.parts[1 + kind]
        _check_part(listing, part, row, f"layer {layer}")
    _check_part(listing, listing.parts[-1], 0, "the head")


def _check_ring(name: str, ring: Ring) -> None:
    require(
        0 <= ring.slots <= SLOTS_MAX and (ring.slots == 0) == (ring.slot_bytes == 0),
        Rule.RING,
        f"the ring of {name}",
        f"{ring.slots} slots of {ring.slot_bytes} bytes, at most {SLOTS_MAX} slots",
    )
    require(
        ring.slot_bytes % BEAT == 0,
        Rule.RING,
        f"the ring of {name}",
        f"slots of {ring.slot_bytes} bytes, no multiple of {BEAT}",
    )


def _check_part(listing: Listing, part: Part, row: int, where: str) -> None:
    memories = {region.name: region.memory for region in listing.regions}
    for index, op in enumerate(part.ops):
        match op:
            case ops.Linear():
                matrix, numbers = listing.matrices[part.weight(op.weight, row)], part.linears[index]
                assert numbers is not None, f"{op.weight} has no sizes"
                if matrix.rest_rows:
                    _check_tiles(matrix, numbers, listing.working.tiles)
                if matrix.engine is not None:
                    is_paged = memories[matrix.engine_region] is MemoryId.L3
                    tokens = listing.working.chunk if isinstance(op.src.type.shape[0], str) else 1
                    plan = UnitPlan(
                        engine=matrix.engine, numbers=numbers, tokens=tokens, is_paged=is_paged
                    )
                    if is_paged:
                        _check_pages(matrix, matrix.engine, numbers, listing.working.pages)
                    _check_units(matrix, plan)
                    _check_job(matrix, plan)
            case ops.CachedAttention():
                _check_attention(listing, part, op, row, where)
            case ops.HeadsQuantise() | ops.CacheAppend():
                _check_heads(listing, part, op, row, where)
            case _:
                pass


def _check_tiles(matrix: Matrix, numbers: LinearNumbers, ring: Ring) -> None:
    rows = min(numbers.tile_rows, matrix.rest_rows)
    require(
        numbers.tile_rows > 0 and numbers.tile_rows % BLOCK == 0,
        Rule.RING,
        matrix.name,
        f"tiles of {numbers.tile_rows} rows, not whole blocks of {BLOCK}",
    )
    size = packed(matrix.type, rows, has_bias=matrix.has_bias).size_bytes
    require(
        ring.slots > 0 and size <= ring.slot_bytes,
        Rule.RING,
        matrix.name,
        f"a tile has {size} bytes, a slot {ring.slot_bytes}",
    )


def _check_pages(matrix: Matrix, engine: EngineRows, numbers: LinearNumbers, ring: Ring) -> None:
    rows = min(numbers.slice_rows, engine.rows)
    require(
        numbers.slice_rows > 0 and numbers.slice_rows % TILE_OUT == 0,
        Rule.RING,
        matrix.engine_region,
        f"pages of {numbers.slice_rows} rows, not whole tiles of {TILE_OUT}",
    )
    require(
        not engine.group or rows == engine.rows or rows % engine.band_rows == 0,
        Rule.RING,
        matrix.engine_region,
        f"pages of {rows} rows, not whole bands of {engine.band_rows}",
    )
    size = engine.size_bytes(rows)
    require(
        ring.slots > 0 and size <= ring.slot_bytes,
        Rule.RING,
        matrix.engine_region,
        f"a page has {size} bytes, a slot {ring.slot_bytes}",
    )


def _check_units(matrix: Matrix, plan: UnitPlan) -> None:
    numbers, rows, group = plan.numbers, plan.unit_rows, plan.group_tokens
    is_whole = rows == min(plan.page_rows, plan.engine.rows)
    require(
        rows > 0 and (rows % TILE_OUT == 0 or is_whole),
        Rule.UNIT,
        matrix.engine_region,
        f"units of {rows} rows, not whole tiles of {TILE_OUT}",
    )
    sums = 4 * rows * plan.pixels(group)
    require(
        sums <= numbers.sums_bytes and numbers.sums_bytes % 4 == 0,
        Rule.UNIT,
        matrix.engine_region,
        f"sums of {sums} bytes, room for {numbers.sums_bytes}",
    )
    inputs = max(plan.input_bytes(tokens) for tokens in range(1, group + 1))
    require(
        inputs <= numbers.input_bytes,
        Rule.UNIT,
        matrix.engine_region,
        f"inputs of {inputs} bytes, room for {numbers.input_bytes}",
    )


def _check_job(matrix: Matrix, plan: UnitPlan) -> None:
    """Counts that fit the registers, sums that fit 32 bits."""
    engine = plan.engine
    longest = engine.lengths[0]
    tiles = max(-(-engine.channels(longest) // TILE_3X3), -(-plan.unit_rows // TILE_OUT))
    require(
        tiles < TILES_MAX and engine.rows <= matrix.type.rows,
        Rule.UNIT,
        matrix.engine_region,
        f"{tiles} tiles of channels, {engine.rows} of {matrix.type.rows} rows",
    )
    require(
        2 <= engine.bits <= 8,
        Rule.UNIT,
        matrix.engine_region,
        f"weights of {engine.bits} bits",
    )
    largest = UNSIGNED_INPUT if engine.is_unsigned else LARGEST_INPUT
    most = longest * largest << (engine.bits - (not engine.has_minimum))
    require(
        most < ACCUMULATOR,
        Rule.UNIT,
        matrix.engine_region,
        f"sums up to {most}",
    )


def _check_attention(
    listing: Listing, part: Part, op: ops.CachedAttention, row: int, where: str
) -> None:
    shape = attention_shape(listing, part, op, row)
    require(
        shape.tile_positions > 0 and shape.tile_positions % 8 == 0,
        Rule.KERNEL,
        f"attention of {where}",
        f"tiles of {shape.tile_positions} positions, no multiple of 8",
    )
    least = 4 * shape.repeat * shape.context
    require(
        shape.scores_bytes >= least and 0 < shape.context <= CONTEXT_MAX,
        Rule.KERNEL,
        f"attention of {where}",
        f"{shape.scores_bytes} bytes of scores, at least {least}; context {shape.context}",
    )


def _check_heads(
    listing: Listing, part: Part, op: ops.HeadsQuantise | ops.CacheAppend, row: int, where: str
) -> None:
    if isinstance(op, ops.CacheAppend):
        dim = listing.graph.cache(part.cache(op.cache, row)).dim
    else:
        dim = op.out.type.depth
    is_right = (op.norm_weight is None or dim <= HEAD_DIM_MAX) and (
        not op.rope or dim == listing.graph.rope_dim
    )
    require(is_right, Rule.KERNEL, f"heads of {where}", f"rows of {dim}")
