"""Every buffer is alive from the epoch that fills it to the last that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_models import lowered_graph, runnable_config

from aretusa.frontend.llama_config import Family
from aretusa.ir import ops
from aretusa.ir.ops import inputs, result
from aretusa.ir.types import value_size_bytes
from aretusa.memory.lifetimes import EXTERNAL, buffers, scratch_bytes, scratch_name
from aretusa.schedule.epochs import epochs
from aretusa.schedule.roll import HIDDEN, roll

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.memory.placement import Buffer

GRAPHS = {
    family.value: lowered_graph(runnable_config(family, layers=3))
    for family in (Family.LLAMA, Family.QWEN2, Family.QWEN3)
}


@pytest.fixture(params=GRAPHS.values(), ids=GRAPHS.keys())
def graph(request: pytest.FixtureRequest) -> Graph:
    found: Graph = request.param
    return found


def lives(graph: Graph) -> dict[str, Buffer]:
    return {buffer.name: buffer for buffer in buffers(graph, roll(graph))}


def test_names_are_unique(graph: Graph) -> None:
    found = buffers(graph, roll(graph))
    assert len({buffer.name for buffer in found}) == len(found)


def test_a_value_lives_from_its_epoch_to_its_last_reader(graph: Graph) -> None:
    rolled, alive = roll(graph), lives(graph)
    longest = max(len(epochs(kind.ops)) for kind in rolled.kinds)
    bodies = [(0, rolled.prologue), *((1, kind.ops) for kind in rolled.kinds)]
    bodies.append((1 + longest, rolled.epilogue))
    for start, body in bodies:
        for step, epoch in enumerate(epochs(body), start):
            for op in epoch:
                out = result(op)
                for value in (*inputs(op), *(() if out is None else (out,))):
                    if value.name in EXTERNAL:
                        continue
                    buffer = alive[value.name]
                    assert buffer.first <= step <= buffer.last
                    assert buffer.size_bytes >= value_size_bytes(value.type, graph.chunk_max)


def test_the_residual_stream_lives_from_start_to_end(graph: Graph) -> None:
    alive = lives(graph)
    assert alive[HIDDEN].first == 0
    assert alive[HIDDEN].last == max(buffer.last for buffer in alive.values())


def test_the_logits_are_written_in_the_last_epoch(graph: Graph) -> None:
    alive = lives(graph)
    assert alive[graph.logits.name].last == max(buffer.last for buffer in alive.values())


def test_scratch_is_named_after_the_place_of_its_op(graph: Graph) -> None:
    alive = lives(graph)
    for kind in roll(graph).kinds:
        body = [op for epoch in epochs(kind.ops) for op in epoch]
        for number, op in enumerate(body):
            need_bytes = scratch_bytes(op, graph)
            if need_bytes:
                assert alive[scratch_name(number)].size_bytes >= need_bytes


def test_attention_needs_scratch_and_linear_layers_none() -> None:
    graph = GRAPHS["llama"]
    body = roll(graph).kinds[0].ops
    by_kind = {type(op): scratch_bytes(op, graph) for op in body}
    assert by_kind[ops.CachedAttention] > 0
    assert by_kind[ops.Linear] == 0


def test_a_longer_chunk_needs_larger_buffers() -> None:
    small, large = lives(lowered_graph(chunk=4)), lives(lowered_graph(chunk=16))
    assert large[HIDDEN].size_bytes == 4 * small[HIDDEN].size_bytes
    assert large["logits"].size_bytes == small["logits"].size_bytes
