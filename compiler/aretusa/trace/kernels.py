"""The kernels but for linear layers and attention, as events; runtime/src/kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.cost.shares import ceil_div, pieces_per_run
from aretusa.ir.types import SUM_RUN
from aretusa.memory.contents import ROPE_COSINE, ROPE_SINE
from aretusa.trace.layouts import BLOCK, cache_codes_bytes, cache_row_bytes, packed
from aretusa.trace.recorder import Copies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.ir import ops
    from aretusa.ir.types import Value
    from aretusa.trace.call import Call
    from aretusa.trace.event import Access
    from aretusa.trace.listing import Matrix

CORES_MAX: Final = 8  # ART_CORES_MAX
EXP_STEPS: Final = 32  # of the table of exponentials: ART_EXP_STEPS
LANES: Final = 8
EMBED_TOKENS: Final = 8  # rows of the table that are in L1 at a time


def embed_events(call: Call, op: ops.Embed, truth: ops.Embed) -> None:
    """Rows of the table reach the scratch eight at a time: art_embed_planned."""
    recorder, tokens = call.machine.recorder, call.step.tokens
    matrix = call.machine.matrices[op.table]
    depth = matrix.type.depth
    chosen = call.step.token_ids or _token_ids(matrix, tokens)
    for first in range(0, tokens, EMBED_TOKENS):
        last = min(first + EMBED_TOKENS, tokens)
        if first:
            recorder.barrier()
        reads = _load_rows(call, matrix, chosen[first:last])
        recorder.barrier()
        out = call.columns(op.out, truth.out, (first, last), (0, depth))
        recorder.touch("embed", reads, [out], last - first, 1, depth)


def _token_ids(matrix: Matrix, count: int) -> list[int]:
    """Rows from all over the table: its ends, both sides of where the layout changes, others."""
    rows = matrix.type.rows
    edge = matrix.engine.rows if matrix.engine else 0
    wanted = [rows - 1, 0, edge - 1, edge, rows // 2]
    spread = [rows * index // count for index in range(count)]
    return [row % rows for row in (*wanted, *spread)][:count]


def _load_rows(call: Call, matrix: Matrix, rows: Sequence[int]) -> list[Access]:
    """Give and await the copies of some rows; returns what the cores read of them."""
    copies = Copies(call.machine.recorder)
    engine_slot = matrix.engine.row_bytes + 4 if matrix.engine else 0
    has_rest = matrix.rest_rows > 0
    block = packed(matrix.type, BLOCK, has_bias=False)
    slot_bytes = max(engine_slot, block.block_bytes if has_rest else 0)
    reads: list[Access] = []
    for index, row in enumerate(rows):
        at = index * slot_bytes
        if matrix.engine and row < matrix.engine.rows:
            reads += _load_engine_row(call, copies, matrix, row, at)
        else:
            first = row - (matrix.engine.rows if matrix.engine else 0)
            reads += _load_block(call, copies, matrix, first // BLOCK, at)
    copies.wait()
    return reads


def _load_engine_row(call: Call, copies: Copies, matrix: Matrix, row: int, at: int) -> list[Access]:
    """A row's codes, then its scale."""
    engine = matrix.engine
    assert engine is not None, f"{matrix.name} has no rows on the engine"
    scale_at = engine.channels_offset(engine.rows) + 4 * row
    runs = [(row * engine.row_bytes, engine.row_bytes), (scale_at, 4)]
    return _copy_runs(call, copies, matrix.engine_region, runs, [at, at + engine.row_bytes])


def _load_block(call: Call, copies: Copies, matrix: Matrix, block: int, at: int) -> list[Access]:
    """The block of eight that a row is stored in: codes, scales, minimums."""
    whole = packed(matrix.type, matrix.rest_rows, has_bias=False).parts[:3]
    eight = packed(matrix.type, BLOCK, has_bias=False).parts[:3]
    runs, targets = [], []
    for from_part, to_part in zip(whole, eight, strict=True):
        if to_part.size_bytes:
            runs.append((from_part.offset_bytes + block * to_part.size_bytes, to_part.size_bytes))
            targets.append(at + to_part.offset_bytes)
    return _copy_runs(call, copies, matrix.name, runs, targets)


def _copy_runs(
    call: Call, copies: Copies, region: str, runs: list[tuple[int, int]], targets: list[int]
) -> list[Access]:
    recorder = call.machine.recorder
    reads: list[Access] = []
    for (source_at, size), target_at in zip(runs, targets, strict=True):
        copies.give(
            recorder.extent(region, source_at, size),
            recorder.extent(call.scratch, target_at, size),
        )
        reads.append(recorder.access(call.scratch, target_at, size, region, source_at))
    return reads


def norm_events(call: Call, op: ops.RmsNormQuantise, truth: ops.RmsNormQuantise) -> None:
    """Sums of squares, then as in `quantise_events`: art_rmsnorm_quantise."""
    recorder, depth = call.machine.recorder, op.src.type.depth
    tokens = call.tokens(op.src)
    source = call.whole(op.src, truth.src)
    maxima_bytes = 4 * tokens * CORES_MAX
    sums = call.kept("lane sums", maxima_bytes, 4 * tokens * LANES)
    squares_at = maxima_bytes + sums.size_bytes
    squares = call.kept("squares", squares_at, 4 * LANES * -(-depth // LANES))
    recorder.touch("norm squares", [source], [sums, squares], tokens, 1, depth)
    recorder.barrier()
    place = call.part.weight(op.weight, call.table_row)
    weight = recorder.access(place, 0, 4 * depth, truth.weight)
    _quantise(call, "norm", [source, weight, sums], op.out, truth.out)


def quantise_events(call: Call, op: ops.Quantise, truth: ops.Quantise) -> None:
    """The largest magnitude of each row, then its codes: art_quantise."""
    _quantise(call, "quantise", [call.whole(op.src, truth.src)], op.out, truth.out)


def _quantise(call: Call, name: str, reads: list[Access], out: Value, truth: Value) -> None:
    recorder, rows = call.machine.recorder, call.rows8(out)
    maxima = call.kept("maxima", 0, 4 * rows.rows * CORES_MAX)
    recorder.touch(f"{name} maxima", reads, [maxima], rows.rows, 1, rows.depth)
    recorder.barrier()
    _codes(call, name, [*reads, maxima], out, truth)


def _codes(call: Call, name: str, reads: list[Access], out: Value, truth: Value) -> None:
    """Codes, scales and the sums of runs: art_quantise_rows.

    Where there are fewer runs than cores, the sums of their pieces are joined behind a barrier.
    """
    recorder, rows = call.machine.recorder, call.rows8(out)
    cores = call.machine.listing.target.cluster.cores
    codes = call.whole(out, truth)
    per_run = pieces_per_run(cores, rows.rows, ceil_div(rows.depth, SUM_RUN))
    if per_run == 1:
        recorder.touch(f"{name} codes", reads, [codes], rows.rows, 1, rows.depth)
        return
    pieces = rows.rows * ceil_div(rows.depth, SUM_RUN // per_run)
    parts = call.kept("piece sums", 2 * 4 * rows.rows * LANES, 4 * pieces)
    content, at = call.content(truth), rows.sums_offset
    size = rows.size_bytes - at
    without = recorder.access(out.name, 0, at, content)
    sums = recorder.access(out.name, at, size, content, at)
    recorder.touch(f"{name} codes", reads, [without, parts], rows.rows, 1, rows.depth)
    recorder.barrier()
    recorder.touch(f"{name} join", [parts], [sums], rows.rows, 1, rows.depth)


def silu_events(call: Call, op: ops.SiluMulQuantise, truth: ops.SiluMulQuantise) -> None:
    """In place in the gate: art_silu_mul_quantise."""
    recorder, rows = call.machine.recorder, call.rows8(op.out)
    gate, up = call.whole(op.gate, truth.gate), call.whole(op.up, truth.up)
    product = recorder.access(op.gate.name, 0, gate.size_bytes, f"{call.name} product")
    maxima = call.kept("maxima", 0, 4 * rows.rows * CORES_MAX)
    reads = [gate, up]
    if rows.depth >= EXP_STEPS:
        powers = call.kept("powers", 2 * 4 * rows.rows * LANES, 4 * EXP_STEPS)
        recorder.touch("silu table", [], [powers], rows.rows, 1, rows.depth)
        recorder.barrier()
        reads.append(powers)
    recorder.touch("silu maxima", reads, [product, maxima], rows.rows, 1, rows.depth)
    recorder.barrier()
    _codes(call, "silu", [product, maxima], op.out, truth.out)


def _heads(
    call: Call,
    op: ops.HeadsQuantise | ops.CacheAppend,
    truth: ops.HeadsQuantise | ops.CacheAppend,
    dim: int,
) -> tuple[list[Access], Access]:
    """What transforming heads reads, and the source that it works in."""
    recorder = call.machine.recorder
    source = call.whole(op.src, truth.src)
    reads = [source]
    if op.norm_weight is not None and truth.norm_weight is not None:
        place = call.part.weight(op.norm_weight, call.table_row)
        reads.append(recorder.access(place, 0, 4 * dim, truth.norm_weight))
    if op.rope:
        row_bytes = 4 * (dim // 2)
        at, size = call.step.position * row_bytes, call.step.tokens * row_bytes
        reads += [recorder.constant(table, at, size) for table in (ROPE_COSINE, ROPE_SINE)]
    used = recorder.access(op.src.name, 0, source.size_bytes, f"{call.name} heads")
    return reads, used


def heads_events(call: Call, op: ops.HeadsQuantise, truth: ops.HeadsQuantise) -> None:
    """Codes and scales of each head's row, no sums: art_heads_quantise."""
    rows = call.rows8(op.out)
    reads, used = _heads(call, op, truth, rows.depth)
    recorder = call.machine.recorder
    codes = recorder.access(op.out.name, 0, rows.sums_offset, call.content(truth.out))
    recorder.touch("heads", reads, [used, codes], rows.rows, 1, rows.depth)


def append_events(call: Call, op: ops.CacheAppend, truth: ops.CacheAppend) -> None:
    """Rows are staged in the scratch, and core 0 copies them out: art_cache_append."""
    recorder, graph = call.machine.recorder, call.machine.listing.graph
    cache = graph.cache(truth.cache)
    tokens, heads, dim = call.step.tokens, cache.heads, cache.dim
    row_bytes = cache_row_bytes(cache)
    reads, used = _heads(call, op, truth, dim)
    scales_at = cache_codes_bytes(heads * tokens, row_bytes)
    cached = cache_codes_bytes(heads * graph.context, row_bytes)
    codes = recorder.access(
        call.scratch,
        0,
        tokens * row_bytes,
        cache.name,
        call.step.position * row_bytes,
        count=heads,
        stride=tokens * row_bytes,
        step=graph.context * row_bytes,
    )
    scales = recorder.access(
        call.scratch,
        scales_at,
        4 * tokens,
        cache.name,
        cached + 4 * call.step.position,
        count=heads,
        stride=4 * tokens,
        step=4 * graph.context,
    )
    recorder.touch("append", reads, [used, codes, scales], tokens * heads, 1, dim)
    recorder.barrier()
    _copy_out(call, op, [codes, scales])


def _copy_out(call: Call, op: ops.CacheAppend, staged: list[Access]) -> None:
    recorder = call.machine.recorder
    place = call.part.cache(op.cache, call.table_row)
    start = recorder.regions[call.scratch].offset_bytes
    copies = Copies(recorder)
    for rows in staged:
        count, size, at = rows.count, rows.size_bytes, rows.offset_bytes - start
        copies.give_rows(
            recorder.extent(call.scratch, at, size, count=count, stride=rows.stride_bytes),
            recorder.extent(place, rows.at_bytes, size, count=count, stride=rows.step_bytes),
        )
    copies.wait()
