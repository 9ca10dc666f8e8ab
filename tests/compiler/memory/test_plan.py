"""Laws of the memory plan over many shapes, and what it says when something does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import lowered_graph, plan_of, resized, runnable_config

from aretusa.errors import CapacityError, ExitCode
from aretusa.frontend.llama_config import Family
from aretusa.ir.ops import result
from aretusa.memory.placement import ALIGN_BYTES, align
from aretusa.memory.plan import (
    IMAGE_CHUNK_BYTES,
    IMAGE_HEADER_BYTES,
    MemoryPlan,
    Region,
    RegionKind,
    image_header_bytes,
    matrix_biases,
)
from aretusa.quantization.schemes import SCHEMES
from aretusa.target.description import MemoryId, Target
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph

SIRACUSA = load_target()


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    kv_heads = draw(st.sampled_from((1, 2, 3)))
    config = runnable_config(
        draw(st.sampled_from((Family.LLAMA, Family.QWEN2, Family.QWEN3))),
        layers=draw(st.integers(1, 4)),
        kv_heads=kv_heads,
        heads=kv_heads * draw(st.sampled_from((1, 3))),
        head_dim=draw(st.sampled_from((8, 28, 64))),
        hidden_size=draw(st.sampled_from((64, 96, 252))),
        ffn_size=draw(st.sampled_from((96, 224, 756))),
        ties_embeddings=draw(st.booleans()),
    )
    return lowered_graph(
        config,
        scheme=draw(st.sampled_from(tuple(SCHEMES))),
        context=draw(st.sampled_from((1, 7, 64, 300))),
        chunk=draw(st.sampled_from((1, 8, 33))),
    )


@st.composite
def targets(draw: st.DrawFn) -> Target:
    """Siracusa with smaller memories, so that everything spills somewhere."""
    sizes = {
        "l1": draw(st.sampled_from((4096, 40_000, 229_376))),
        "l2": draw(st.sampled_from((20_001, 100_000, 2**21))),
        "mram": draw(st.sampled_from((10_000, 70_000, 2**22))),
        "sram": draw(st.sampled_from((10_000, 2**22))),
    }
    return resized(SIRACUSA, **sizes)


def alive_together(one: Region, two: Region) -> bool:
    """Only buffers ever die."""
    if RegionKind.BUFFER not in {one.kind, two.kind} or one.kind is not two.kind:
        return True
    return one.first <= two.last and two.first <= one.last


@settings(max_examples=40)
@given(graphs(), targets())
def test_a_plan_keeps_the_laws_of_every_memory(graph: Graph, target: Target) -> None:
    plan = plan_of(graph, target)
    for memory in target.memories:
        regions = plan.within(memory.id)
        check_bounds(plan, memory.id, memory.capacity_bytes)
        check_constants(plan, memory.id)
        for index, one in enumerate(regions):
            for two in regions[index + 1 :]:
                if alive_together(one, two):
                    assert one.end_bytes <= two.offset_bytes or two.end_bytes <= one.offset_bytes
    check_completeness(plan, graph)


def check_bounds(plan: MemoryPlan, memory: MemoryId, capacity_bytes: int) -> None:
    start = image_header_bytes(capacity_bytes)
    for region in plan.within(memory):
        assert region.size_bytes > 0
        assert region.offset_bytes % ALIGN_BYTES == 0
        assert start <= region.offset_bytes < region.end_bytes <= capacity_bytes
    assert plan.used_bytes(memory) <= capacity_bytes


def check_constants(plan: MemoryPlan, memory: MemoryId) -> None:
    """Constants stand first, one behind the other, from the end of the header."""
    constants = plan.constants(memory)
    cursor = image_header_bytes(plan.target.memory(memory).capacity_bytes)
    assert constants == plan.within(memory)[: len(constants)]
    for region in constants:
        assert region.offset_bytes == cursor
        cursor = align(region.end_bytes)


def check_completeness(plan: MemoryPlan, graph: Graph) -> None:
    names = [region.name for region in plan.regions]
    assert len(set(names)) == len(names)
    stored = {weight.name for weight in graph.weights} - set(matrix_biases(graph).values())
    tables = {"rope.cosine", "rope.sine", "tokenizer", "workspace"}
    caches = {cache.name for cache in graph.caches}
    assert stored | tables | caches <= set(names)
    assert plan.region(result(graph.ops[-1]).name).kind is RegionKind.BUFFER  # type: ignore[union-attr]


def test_a_plan_is_the_same_twice() -> None:
    assert plan_of(lowered_graph()) == plan_of(lowered_graph())


def test_hot_matrices_are_in_mram_and_the_embedding_is_off_chip() -> None:
    plan = plan_of(lowered_graph())
    assert plan.region("model.layers.1.mlp.up_proj.weight").memory is MemoryId.MRAM
    assert plan.region("lm_head.weight").memory is MemoryId.MRAM
    assert plan.region("model.embed_tokens.weight").memory is MemoryId.L3
    assert plan.region("hidden").memory is MemoryId.L1


def test_a_tied_embedding_is_hot() -> None:
    graph = lowered_graph(runnable_config(ties_embeddings=True))
    assert plan_of(graph).region("model.embed_tokens.weight").memory is MemoryId.MRAM


def test_a_longer_context_moves_caches_off_the_chip() -> None:
    config = runnable_config(layers=4, max_positions=4096)
    target = resized(SIRACUSA, l2=2**19)
    memories = []
    for context in (64, 1024, 4096):
        plan = plan_of(lowered_graph(config, context=context), target)
        caches = [region for region in plan.regions if region.kind is RegionKind.CACHE]
        memories.append([cache.memory for cache in caches])
        assert len(caches) == 8
    assert set(memories[0]) == {MemoryId.L2}
    assert memories[2].count(MemoryId.L3) > memories[1].count(MemoryId.L3)


@given(st.integers(1, 2**31))
def test_a_header_holds_one_checksum_per_chunk(capacity_bytes: int) -> None:
    header_bytes = image_header_bytes(capacity_bytes)
    assert header_bytes % 64 == 0
    chunks = -(-(capacity_bytes - header_bytes) // IMAGE_CHUNK_BYTES)
    assert IMAGE_HEADER_BYTES + 4 * max(chunks, 0) <= header_bytes


def only_l3(size_bytes: int) -> Target:
    """A chip with one memory worth the name."""
    return resized(SIRACUSA, l1=128, l2=128, sram=128, mram=128, l3=size_bytes)


@pytest.mark.parametrize("missing", [1, 31, 32, 4097])
def test_says_how_many_bytes_of_l3_are_missing(missing: int) -> None:
    graph = lowered_graph()
    exact = align(plan_of(graph, only_l3(2**19)).used_bytes(MemoryId.L3))
    assert plan_of(graph, only_l3(exact)).used_bytes(MemoryId.L3) <= exact
    with pytest.raises(CapacityError, match=r"E0401.* of L3, which has .*too few") as caught:
        plan_of(graph, only_l3(exact - missing))
    error = caught.value
    assert error.exit_code is ExitCode.CAPACITY
    assert error.memory == "L3"
    assert error.missing_bytes == missing
    assert error.need_bytes - error.free_bytes == missing
    assert "model.embed_tokens.weight" in error.what  # the coldest is placed last


@pytest.mark.parametrize("size_bytes", [2000, 9001, 15_000])
def test_a_working_set_that_does_not_fit_says_what_would_do(size_bytes: int) -> None:
    graph = lowered_graph()
    with pytest.raises(CapacityError, match="working set") as caught:
        plan_of(graph, only_l3(size_bytes))
    error = caught.value
    assert error.missing_bytes > 0
    with pytest.raises(CapacityError) as again:  # no room for the rest, but for all buffers
        plan_of(graph, only_l3(size_bytes + error.missing_bytes))
    assert "working set" not in again.value.what
