"""Every buffer is alive from the epoch that fills it to the last that reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tiny_models import lowered_graph, runnable_config, two_kind_graph

from aretusa.frontend.llama_config import Family
from aretusa.ir import ops
from aretusa.ir.ops import inputs, result
from aretusa.ir.types import DType, value_size_bytes
from aretusa.memory.body import bodies
from aretusa.memory.lifetimes import (
    EXTERNAL,
    body_starts,
    buffers,
    op_label,
    scratch_name,
    step_labels,
)
from aretusa.memory.working_set import NO_TILES, TILES_RING, Ring, WorkingSet
from aretusa.neureka.linear import Engine
from aretusa.schedule.epochs import epochs
from aretusa.schedule.roll import HIDDEN, roll
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.memory.body import Body
    from aretusa.memory.placement import Buffer

GRAPHS = {
    family.value: lowered_graph(runnable_config(family, layers=3))
    for family in (Family.LLAMA, Family.QWEN2, Family.QWEN3)
} | {"two kinds": two_kind_graph()}
RING = Ring(memory=MemoryId.L1, slots=3, slot_bytes=4096)


def on_engine(graph: Graph, engine: Engine) -> Graph:
    """All rows of every linear layer on N-EUREKA."""
    return graph.with_ops(
        [
            replace(op, engine=engine.value, engine_rows=op.out.type.depth)
            if isinstance(op, ops.Linear)
            else op
            for op in graph.ops
        ]
    )


def bodies_of(graph: Graph, tiles: Ring = RING) -> tuple[Body, ...]:
    working = WorkingSet(chunk=graph.chunk_max, tiles=tiles)
    return tuple(bodies(graph, roll(graph), working, is_unsigned=False))


@pytest.fixture(params=GRAPHS.values(), ids=GRAPHS.keys())
def graph(request: pytest.FixtureRequest) -> Graph:
    found: Graph = request.param
    return found


def name_of(body: Body, number: int) -> str:
    return scratch_name(number, body.ops, is_layer=body.kind is not None)


def lives(graph: Graph, tiles: Ring = RING) -> dict[str, Buffer]:
    return {buffer.name: buffer for buffer in buffers(bodies_of(graph, tiles))}


def test_names_are_unique(graph: Graph) -> None:
    found = buffers(bodies_of(graph))
    assert len({buffer.name for buffer in found}) == len(found)


def test_a_value_lives_from_its_epoch_to_its_last_reader(graph: Graph) -> None:
    parts, alive = bodies_of(graph), lives(graph)
    for start, body in zip(body_starts(parts), parts, strict=True):
        for step, epoch in enumerate(epochs(body.ops), start):
            for op in epoch:
                out = result(op)
                for value in (*inputs(op), *(() if out is None else (out,))):
                    if value.name in EXTERNAL:
                        continue
                    buffer = alive[value.name]
                    assert buffer.first <= step <= buffer.last
                    assert buffer.size_bytes >= value_size_bytes(value.type, graph.chunk_max)
                    assert buffer.needs_l1 or value.type.dtype is not DType.Q8


def test_kinds_of_layers_share_one_time_span(graph: Graph) -> None:
    parts = bodies_of(graph)
    starts = body_starts(parts)
    longest = max(len(epochs(body.ops)) for body in parts[1:-1])
    assert starts == [0, *(1 for _ in parts[1:-1]), 1 + longest]


def test_the_residual_stream_lives_from_start_to_end(graph: Graph) -> None:
    alive = lives(graph)
    assert alive[HIDDEN].first == 0
    assert alive[HIDDEN].last == max(buffer.last for buffer in alive.values())


def test_the_logits_are_written_in_the_last_epoch(graph: Graph) -> None:
    alive = lives(graph)
    assert alive[graph.logits.name].last == max(buffer.last for buffer in alive.values())


def test_the_ring_of_tiles_is_always_alive_and_in_l1(graph: Graph) -> None:
    alive = lives(graph)
    ring = alive[TILES_RING]
    assert (ring.size_bytes, ring.first, ring.needs_l1) == (3 * 4096, 0, True)
    assert ring.last == alive[HIDDEN].last
    assert TILES_RING not in lives(graph, NO_TILES)


def test_scratch_is_named_after_the_place_of_its_op(graph: Graph) -> None:
    alive = lives(graph)
    for body in bodies_of(graph):
        for number, op in enumerate(op for epoch in epochs(body.ops) for op in epoch):
            need_bytes = body.scratch_bytes(op)
            if need_bytes:
                assert alive[name_of(body, number)].size_bytes >= need_bytes


@pytest.mark.parametrize("engine", [Engine.NEUREKA_1X1, Engine.NEUREKA_3X3])
def test_linear_layers_need_scratch_on_the_engine_only(engine: Engine) -> None:
    graph = GRAPHS["llama"]
    for made, needs in ((graph, False), (on_engine(graph, engine), True)):
        for body in bodies_of(made):
            for op in body.ops:
                if isinstance(op, ops.Linear):
                    assert (body.scratch_bytes(op) > 0) is needs


def test_scratch_that_transfers_or_the_engine_write_lies_in_l1() -> None:
    """Two ops that may share a name: one that needs L1 decides."""
    graph = on_engine(GRAPHS["llama"], Engine.NEUREKA_3X3)
    alive = lives(graph, NO_TILES)
    for body in bodies_of(graph, NO_TILES):
        for number, op in enumerate(op for epoch in epochs(body.ops) for op in epoch):
            if isinstance(op, ops.Linear | ops.CachedAttention | ops.CacheAppend | ops.Embed):
                assert alive[name_of(body, number)].needs_l1


def test_attention_and_caches_need_scratch() -> None:
    body = bodies_of(GRAPHS["llama"])[1]
    by_kind = {type(op): body.scratch_bytes(op) for op in body.ops}
    assert by_kind[ops.CachedAttention] > 0
    assert by_kind[ops.CacheAppend] > 0
    assert by_kind[ops.HeadsQuantise] == 0


def test_a_longer_chunk_needs_larger_buffers() -> None:
    small, large = lives(lowered_graph(chunk=4)), lives(lowered_graph(chunk=16))
    assert large[HIDDEN].size_bytes == 4 * small[HIDDEN].size_bytes
    assert large["logits"].size_bytes == small["logits"].size_bytes


def test_touches_count_ops() -> None:
    """The three projections read the codes that the norm wrote."""
    assert lives(GRAPHS["llama"])["attention_input.codes"].touches == 4


def test_every_step_has_a_name(graph: Graph) -> None:
    parts = bodies_of(graph)
    labels = step_labels(parts)
    assert len(labels) == lives(graph)[HIDDEN].last + 1
    assert all(labels)
    assert labels[0] == "embedding"
    assert sum(label.startswith("layer: ") for label in labels) == body_starts(parts)[-1] - 1
    assert "layer: gate_proj + up_proj" in labels
    assert labels[-1] == "lm_head"


def test_ops_are_called_by_their_weight_or_work() -> None:
    found = {op_label(op) for op in lowered_graph().ops}
    assert {"embedding", "norm", "q_proj", "attention", "append keys", "silu"} <= found
    assert {"rotate heads", "quantise", "selectrow"} <= found
