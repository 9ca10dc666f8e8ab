"""Options of everything that is no linear layer: vectors, tables, caches, embedding, token loop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.memory.contents import RegionKind
from aretusa.memory.matrix_parts import BLOCK_ROWS
from aretusa.memory.placement import align
from aretusa.plan.choice import Item, Load, Option
from aretusa.plan.link import link_cycles
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.ir.graph import Graph
    from aretusa.memory.contents import Content
    from aretusa.plan.linear_options import Setting

# Of a token, where cores would have to read what lies off chip: only an emulated chip can, so that
# everything that can lie there goes there first.
LAST_RESORT_CYCLES: Final = 1 << 20


def content_item(content: Content, graph: Graph, setting: Setting, *, reads: int) -> Item:
    """A content that has one home and no engine; `reads` ops read it as a weight."""
    loads: dict[RegionKind, Callable[[MemoryId], Load]] = {
        RegionKind.CACHE: lambda home: _cache(content, graph, setting, home),
        RegionKind.TOKENIZER: lambda home: _token_loop(setting, home),
        RegionKind.WORKSPACE: lambda home: _token_loop(setting, home),
        RegionKind.TABLE: lambda home: _addressed(_rope_reads(graph), setting, home),
        RegionKind.WEIGHT: lambda home: _weight(content, graph, setting, home, reads),
    }
    load_of = loads[content.kind]
    options = []
    for rank, home in enumerate(content.homes):
        load = load_of(home)
        options.append(
            Option(
                engine=None,
                engine_rows=0,
                homes=(("", home),),
                usage=((home, align(content.size_bytes)),),
                load=replace(load, decode_work=load.decode_work + rank),
            )
        )
    role = content.kind.value
    return Item(name=content.name, role=role, options=tuple(options))


def _per_token(setting: Setting, *, work: int = 0, link: int = 0) -> Load:
    goal = setting.goal
    return Load(
        prefill_work=goal.prefill_tokens * work,
        prefill_link=goal.prefill_tokens * link,
        decode_work=goal.decode_tokens * work,
        decode_link=goal.decode_tokens * link,
    )


def _addressed(reads: int, setting: Setting, home: MemoryId) -> Load:
    """Words that the cores load one by one, eight of them at a time."""
    target = setting.target
    extra = target.memory(home).load_cycles - target.memory(MemoryId.L1).load_cycles
    return _per_token(setting, work=reads * extra // target.cluster.cores)


def _rope_reads(graph: Graph) -> int:
    """Words of one rotary table that a token needs."""
    reads = 0
    for op in graph.ops:
        if isinstance(op, ops.HeadsQuantise) and op.rope:
            reads += op.out.type.dims(1)[1] * graph.rope_dim // 2
        elif isinstance(op, ops.CacheAppend) and op.rope:
            reads += graph.cache(op.cache).heads * graph.rope_dim // 2
    return reads


def _weight(content: Content, graph: Graph, setting: Setting, home: MemoryId, reads: int) -> Load:
    """A norm's weights are loaded one by one; of an embedding table a block of rows is copied."""
    if any(isinstance(op, ops.Embed) and op.table == content.name for op in graph.ops):
        matrix = graph.weight_types()[content.name]
        rows = getattr(matrix, "rows", 1)
        size = content.size_bytes * BLOCK_ROWS // rows
        link = link_cycles(setting.target, size) if home is MemoryId.L3 else 0
        return _per_token(setting, link=link)
    return _addressed(reads * content.size_bytes // 4, setting, home)


def _token_loop(setting: Setting, home: MemoryId) -> Load:
    if home is not MemoryId.L3:
        return Load()
    return _per_token(setting, work=LAST_RESORT_CYCLES)


def _cache(content: Content, graph: Graph, setting: Setting, home: MemoryId) -> Load:
    """Positions so far pass through L1 for every step, as often as the scores' room demands."""
    if home is not MemoryId.L3:
        return Load()
    cache, goal, target = graph.cache(content.name), setting.goal, setting.target
    row_bytes = cache.heads * cache.position_bytes
    moved = row_bytes * goal.decode_position
    link = link_cycles(target, moved, transfers=2 * cache.heads)
    prefill = 0
    for tokens, count in goal.chunks(setting.working.chunk).items():
        passes = -(-tokens // items_at_once(graph, content.name, setting))
        size = row_bytes * (goal.prefill_tokens // 2 + 1) * passes
        transfers = 2 * cache.heads * passes
        prefill += count * link_cycles(target, size, transfers=transfers)
    return Load(prefill_link=prefill, decode_link=goal.decode_tokens * link)


def items_at_once(graph: Graph, cache_name: str, setting: Setting) -> int:
    """Tokens whose scores for one kv head are in the scratch together."""
    cache = graph.cache(cache_name)
    reader = next(
        op
        for op in graph.ops
        if isinstance(op, ops.CachedAttention) and cache_name in {op.key_cache, op.value_cache}
    )
    repeat = reader.query.type.dims(1)[1] // cache.heads
    return max(1, setting.working.scores_bytes // (4 * repeat * graph.context))
