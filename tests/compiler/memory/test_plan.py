"""Laws of the memory plan over many shapes and chips, and what is said when something is short."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import lowered_graph, plan_of, resized, runnable_config, two_kind_graph

from aretusa.errors import CapacityError, ExitCode
from aretusa.frontend.llama_config import Family
from aretusa.ir import ops
from aretusa.ir.ops import result
from aretusa.memory.contents import RegionKind, matrix_biases
from aretusa.memory.engine_pieces import PIECE_SUFFIX
from aretusa.memory.placement import ALIGN_BYTES, align
from aretusa.memory.plan import (
    GAP_BYTES,
    IMAGE_CHUNK_BYTES,
    IMAGE_HEADER_BYTES,
    MemoryPlan,
    Region,
    image_header_bytes,
)
from aretusa.memory.working_set import PAGES_RING, TILES_RING
from aretusa.neureka.linear import Engine
from aretusa.plan.solve import GOOD_GAP
from aretusa.quantization.schemes import SCHEMES
from aretusa.target.description import MemoryId, Target
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.plan.make import Plan

SIRACUSA: Final = load_target()
FAMILIES: Final = (Family.LLAMA, Family.QWEN2, Family.QWEN3)
ENGINES: Final = (None, None, *Engine)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    kv_heads = draw(st.sampled_from((1, 2, 3)))
    config = runnable_config(
        draw(st.sampled_from(FAMILIES)),
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
    """Siracusa with smaller memories, so that everything lies somewhere else for once."""
    target = resized(
        SIRACUSA,
        l1=draw(st.sampled_from((20_000, 60_000, 229_376))),
        l2=draw(st.sampled_from((120_001, 2**21))),
        mram=draw(st.sampled_from((10_000, 70_000, 2**22))),
        sram=draw(st.sampled_from((10_000, 400_000, 2**22))),
    )
    features = replace(target.neureka_features, signed_input=draw(st.sampled_from((0, 1))))
    return replace(target, neureka_features=features)


def alive_together(one: Region, two: Region) -> bool:
    """Only buffers ever die."""
    if one.last < 0 or two.last < 0:
        return True
    return one.first <= two.last and two.first <= one.last


def plan_or_none(graph: Graph, target: Target, engine: Engine | None = None) -> Plan | None:
    """None where it does not fit."""
    try:
        return plan_of(graph, target, engine=engine)
    except CapacityError:
        return None


@settings(max_examples=40)
@given(graphs(), targets(), st.sampled_from(ENGINES))
def test_a_plan_keeps_the_laws_of_every_memory(
    graph: Graph, target: Target, engine: Engine | None
) -> None:
    plan = plan_or_none(graph, target, engine)
    if plan is None:
        return
    for memory in target.memories:
        regions = plan.memory.within(memory.id)
        check_bounds(plan.memory, memory.id, memory.capacity_bytes)
        check_constants(plan.memory, memory.id)
        for index, one in enumerate(regions):
            for two in regions[index + 1 :]:
                if alive_together(one, two):
                    assert one.end_bytes <= two.offset_bytes or two.end_bytes <= one.offset_bytes
    check_completeness(plan)
    check_reach(plan)
    check_answer(plan)


def check_bounds(plan: MemoryPlan, memory: MemoryId, capacity_bytes: int) -> None:
    start = 0 if memory is MemoryId.L1 else image_header_bytes(capacity_bytes)
    for region in plan.within(memory):
        assert region.size_bytes > 0
        assert region.offset_bytes % ALIGN_BYTES == 0
        assert start <= region.offset_bytes < region.end_bytes <= capacity_bytes
    assert plan.used_bytes(memory) <= capacity_bytes


def check_constants(plan: MemoryPlan, memory: MemoryId) -> None:
    """Constants stand first, one behind the other, from the end of the header; then a free page."""
    constants, regions = plan.constants(memory), plan.within(memory)
    cursor = image_header_bytes(plan.target.memory(memory).capacity_bytes)
    assert constants == regions[: len(constants)]
    for region in constants:
        assert region.offset_bytes == cursor
        cursor = align(region.end_bytes)
    if constants and len(regions) > len(constants):
        assert regions[len(constants)].offset_bytes >= constants[-1].end_bytes + GAP_BYTES


def check_completeness(plan: Plan) -> None:
    """Regions for the rows of a weight on each engine, for caches, tables and rings."""
    graph, names = plan.graph, [region.name for region in plan.memory.regions]
    assert len(set(names)) == len(names)
    engines = {op.weight: op for op in graph.ops if isinstance(op, ops.Linear)}
    stored = {weight.name for weight in graph.weights} - set(matrix_biases(graph).values())
    for name in stored:
        op = engines.get(name)
        rows = 0 if op is None else (op.engine_rows or 0)
        total = 0 if op is None else op.out.type.depth
        assert (name + PIECE_SUFFIX in names) is (rows > 0)
        assert (name in names) is (op is None or rows < total)
    caches = {cache.name for cache in graph.caches}
    assert {"rope.cosine", "rope.sine", "tokenizer", "workspace"} | caches <= set(names)
    assert plan.memory.region(result(graph.ops[-1]).name).kind is RegionKind.BUFFER  # type: ignore[union-attr]
    assert (TILES_RING in names) is any(
        op.engine_rows != op.out.type.depth for op in engines.values()
    )
    assert (PAGES_RING in names) is any(option.is_paged for option in plan.options.values())


def check_reach(plan: Plan) -> None:
    """Cores address what they read one by one, N-EUREKA its weights or their pages."""
    for region in plan.memory.regions:
        if region.kind in {RegionKind.TABLE, RegionKind.BUFFER}:
            assert region.memory is not MemoryId.L3
        if region.name.endswith(PIECE_SUFFIX):
            assert region.memory in {MemoryId.MRAM, MemoryId.SRAM, MemoryId.L3}
        if region.kind in {RegionKind.CACHE, RegionKind.WORKSPACE, RegionKind.BUFFER}:
            assert region.memory is not MemoryId.MRAM
    rings = {r.name: r.memory for r in plan.memory.regions if r.kind is RegionKind.RING}
    assert rings.get(TILES_RING, MemoryId.L1) is MemoryId.L1
    assert rings.get(PAGES_RING, MemoryId.SRAM) is MemoryId.SRAM
    for body in plan.bodies:
        for op in body.ops:
            if isinstance(op, ops.Linear):
                cut = body.linear(op)
                paged = any(plan.options[name].is_paged for name in body.weights(op.weight))
                assert cut.tile_rows >= 8 or not cut.rests
                assert cut.slice_rows >= 32 or not paged


def check_answer(plan: Plan) -> None:
    answer = plan.answer
    assert answer.bound_cycles <= answer.objective_cycles <= plan.load.cycles
    if answer.first_fit_cycles is not None:
        assert answer.objective_cycles <= answer.first_fit_cycles


@pytest.mark.parametrize("engine", [None, *Engine])
def test_a_plan_is_the_same_twice(engine: Engine | None) -> None:
    target = resized(SIRACUSA, mram=60_000, sram=400_000)
    one, two = (plan_of(lowered_graph(), target, engine=engine) for _ in range(2))
    assert one == two


def test_on_the_chip_everything_of_a_tiny_model_is_near() -> None:
    plan = plan_of(lowered_graph())
    assert plan.memory.region("hidden").memory is MemoryId.L1
    assert plan.memory.within(MemoryId.L3) == []
    homes = {r.name: r.memory for r in plan.memory.regions if r.name.endswith(PIECE_SUFFIX)}
    assert set(homes.values()) == {MemoryId.MRAM}
    assert plan.answer.status == "optimal"


@pytest.mark.parametrize("graph", [lowered_graph(runnable_config(layers=4)), two_kind_graph()])
def test_layers_of_one_role_run_on_one_engine(graph: Graph) -> None:
    """However tight memories are, the program stays as short as its layers differ."""
    for mram in (2**22, 60_000, 30_000):
        plan = plan_of(graph, resized(SIRACUSA, mram=mram, sram=350_000, l2=100_000))
        assert len(plan.rolled.kinds) == len(plan_of(graph).rolled.kinds)


def test_a_tied_embedding_is_stored_once() -> None:
    graph = lowered_graph(runnable_config(ties_embeddings=True))
    plan = plan_of(graph)
    stored = [r for r in plan.memory.regions if "embed_tokens" in r.name]
    assert sum(region.kind is RegionKind.WEIGHT for region in stored) == len(stored) == 1


def test_a_longer_context_moves_caches_off_the_chip() -> None:
    config = runnable_config(layers=4, max_positions=4096)
    target = resized(SIRACUSA, l2=2**19, sram=1_700_000)
    counts = []
    for context in (64, 1024, 4096):
        plan = plan_of(lowered_graph(config, context=context, chunk=1), target)
        caches = [region for region in plan.memory.regions if region.kind is RegionKind.CACHE]
        assert len(caches) == 8
        counts.append([cache.memory for cache in caches].count(MemoryId.L3))
    assert counts[0] == 0 < counts[2]
    assert counts == sorted(counts)


@given(st.integers(1, 2**31))
def test_a_header_holds_one_checksum_per_chunk(capacity_bytes: int) -> None:
    header_bytes = image_header_bytes(capacity_bytes)
    assert header_bytes % 64 == 0
    chunks = -(-(capacity_bytes - header_bytes) // IMAGE_CHUNK_BYTES)
    assert IMAGE_HEADER_BYTES + 4 * max(chunks, 0) <= header_bytes


# ---- shortage


def least(graph: Graph, memory: str, engine: Engine | None, **others: int) -> int:
    """The smallest size of a memory, in beats, with which there is a plan."""
    low, high = 0, SIRACUSA.memory(MemoryId[memory.upper()]).size_bytes
    while high - low > ALIGN_BYTES:
        middle = (low + high) // 2 // ALIGN_BYTES * ALIGN_BYTES
        target = resized(SIRACUSA, **(others | {memory: middle}))
        if plan_or_none(graph, target, engine) is None:
            low = middle
        else:
            high = middle
    return high


@pytest.mark.parametrize("engine", [None, *Engine])
def test_says_how_many_bytes_of_l1_are_missing(engine: Engine | None) -> None:
    graph = lowered_graph()
    exact = least(graph, "l1", engine)
    plan = plan_of(graph, resized(SIRACUSA, l1=exact), engine=engine)
    assert plan.memory.used_bytes(MemoryId.L1) <= exact
    for missing in (1, 32, 4096):
        with pytest.raises(CapacityError, match=r"E0401.*a step of 8 tokens.* of L1") as caught:
            plan_of(graph, resized(SIRACUSA, l1=exact - missing), engine=engine)
        error = caught.value
        assert error.exit_code is ExitCode.CAPACITY
        assert (error.memory, error.free_bytes) == ("L1", exact - missing)
        assert error.need_bytes - error.free_bytes == error.missing_bytes
        assert missing <= error.missing_bytes < missing + ALIGN_BYTES


def test_one_byte_more_than_there_is_does_not_fit() -> None:
    """The largest tokenizer for which memories have room, and one byte more."""
    graph = lowered_graph()
    sizes = {"l2": 120_000, "sram": 100_000, "mram": 150_000, "l3": 150_000}

    def shortage(tokenizer_bytes: int, **more: int) -> CapacityError | None:
        try:
            plan_of(graph, resized(SIRACUSA, **(sizes | more)), tokenizer_bytes=tokenizer_bytes)
        except CapacityError as error:
            return error
        return None

    low, high = 5000, sum(sizes.values())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if shortage(middle) is None else (low, middle)
    error = shortage(high)
    assert error is not None
    assert (error.code, error.exit_code) == ("E0401", ExitCode.CAPACITY)
    assert error.need_bytes - error.free_bytes == error.missing_bytes > 0
    assert f"{error.missing_bytes:,} too few" in error.line()
    memory = error.memory.lower()
    assert shortage(high, **{memory: sizes[memory] + error.missing_bytes}) is None


def test_nothing_at_all_is_short_of_everything() -> None:
    nothing = resized(SIRACUSA, l1=128, l2=128, sram=128, mram=128, l3=128)
    with pytest.raises(CapacityError, match="the first that finds no room"):
        plan_of(lowered_graph(), nothing)


# ---- more memory

ROOMY: Final = {"l1": 229_376, "l2": 2**20, "sram": 300_000, "mram": 70_000, "l3": 2**25}


@settings(max_examples=15)
@given(
    layers=st.integers(1, 6),
    scheme=st.sampled_from(("w2", "w4", "w8", "w4g32")),
    context=st.sampled_from((64, 300)),
    memory=st.sampled_from(tuple(ROOMY)),
    factor=st.sampled_from((1.25, 2.0, 8.0)),
)
def test_more_memory_never_makes_a_plan_slower(
    layers: int, scheme: str, context: int, memory: str, factor: float
) -> None:
    graph = lowered_graph(runnable_config(layers=layers), scheme=scheme, context=context)
    smaller = plan_or_none(graph, resized(SIRACUSA, **ROOMY))
    more = ROOMY | {memory: int(ROOMY[memory] * factor)}
    larger = plan_or_none(graph, resized(SIRACUSA, **more))
    if smaller is not None:
        assert larger is not None
        assert larger.load.cycles * (1 - GOOD_GAP) <= smaller.load.cycles
