"""Options of every item of a program: homes that can be reached, bytes that they take, costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from tiny_models import lowered_graph, runnable_config

from aretusa.frontend.llama_config import Family
from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.mapping.linear import FINE_SPLIT, engine_choices, map_linear, split_rows
from aretusa.memory.engine_pieces import PIECE_SUFFIX
from aretusa.memory.plan import overhead_bytes
from aretusa.memory.working_set import Ring, WorkingSet
from aretusa.neureka.linear import Engine
from aretusa.plan.goal import Goal
from aretusa.plan.linear_options import Setting
from aretusa.plan.other_options import items_at_once
from aretusa.plan.problem import build_problem
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.plan.choice import Item, Problem

SIRACUSA: Final = load_target()
GRAPH: Final = lowered_graph(runnable_config(Family.QWEN2, layers=3))
TIED: Final = lowered_graph(runnable_config(layers=2, ties_embeddings=True))
TILES: Final = Ring(memory=MemoryId.L1, slots=2, slot_bytes=16384)
PAGES: Final = Ring(memory=MemoryId.SRAM, slots=4, slot_bytes=65536)
GOAL: Final = Goal(prefill_tokens=20, decode_tokens=10)


def setting_of(chunk: int = 8, **changes: int) -> Setting:
    features = replace(SIRACUSA.neureka_features, **changes)
    target = replace(SIRACUSA, neureka_features=features)
    return Setting(
        target=target, goal=GOAL, working=WorkingSet(chunk=chunk, tiles=TILES, pages=PAGES)
    )


def problem_of(
    graph: Graph, engine: Engine | None = None, setting: Setting | None = None
) -> Problem:
    return build_problem(
        graph,
        setting_of() if setting is None else setting,
        engine,
        tokenizer_bytes=5000,
        workspace_bytes=9000,
        spilled_bytes={MemoryId.L2: 100},
    )


def items_of(graph: Graph, engine: Engine | None = None) -> dict[str, Item]:
    return {item.name: item for item in problem_of(graph, engine).items}


def test_every_weight_table_and_cache_is_an_item() -> None:
    names = set(items_of(GRAPH))
    biases = {op.bias for op in GRAPH.ops if isinstance(op, ops.Linear)}
    assert names == (
        {weight.name for weight in GRAPH.weights if weight.name not in biases}
        | {cache.name for cache in GRAPH.caches}
        | {"rope.cosine", "rope.sine", "tokenizer", "workspace"}
    )


@pytest.mark.parametrize("graph", [GRAPH, TIED], ids=["qwen2", "tied"])
@pytest.mark.parametrize("engine", [None, *Engine])
def test_options_take_what_their_homes_say(graph: Graph, engine: Engine | None) -> None:
    for item in items_of(graph, engine).values():
        assert item.options
        for option in item.options:
            homes = {home for _, home in option.homes}
            assert homes == {memory for memory, _ in option.usage}
            assert all(size > 0 and size % 32 == 0 for _, size in option.usage)
            assert MemoryId.L1 not in homes
            is_off_chip = MemoryId.L3 in homes
            assert is_off_chip or option.load.prefill_link == option.load.decode_link == 0
            assert not option.is_paged or is_off_chip


def test_what_cores_address_stays_on_chip() -> None:
    items = items_of(GRAPH)
    for name in ("model.norm.weight", "rope.cosine", "workspace"):
        homes = {home for option in items[name].options for _, home in option.homes}
        assert MemoryId.L3 not in homes
    for name in ("l0.keys", "tokenizer", "model.embed_tokens.weight", "lm_head.weight"):
        homes = {home for option in items[name].options for _, home in option.homes}
        assert MemoryId.L3 in homes


def test_a_tokenizer_goes_off_chip_when_nothing_else_can() -> None:
    """What everything else costs at most, wherever it lies, is less than that."""
    items = items_of(GRAPH)
    works = {
        home: option.load.decode_work
        for option in items["tokenizer"].options
        for _, home in option.homes
    }
    last_resort = works.pop(MemoryId.L3)
    others = [item for name, item in items.items() if name != "tokenizer"]
    dearest = sum(max(option.load.decode_work for option in item.options) for item in others)
    assert last_resort > dearest + max(works.values())


def test_engine_rows_lie_where_the_engine_reads_or_are_paged() -> None:
    for item in items_of(GRAPH).values():
        for option in item.options:
            for suffix, home in option.homes:
                if suffix == PIECE_SUFFIX:
                    assert home in {MemoryId.MRAM, MemoryId.SRAM, MemoryId.L3}
                    assert option.is_paged is (home is MemoryId.L3)


def test_equal_layers_have_equal_options() -> None:
    items = items_of(GRAPH)
    roles: dict[str, set[object]] = {}
    for item in items.values():
        roles.setdefault(item.role, set()).add(item.options)
    assert len(roles["self_attn.q_proj.weight"]) == 1
    assert len(roles["mlp.down_proj.weight"]) == 1


@pytest.mark.parametrize("engine", Engine)
def test_an_engine_that_is_asked_for_is_the_only_one(engine: Engine) -> None:
    for item in items_of(GRAPH, engine).values():
        engines = {option.engine for option in item.options}
        assert engines <= {None, engine, Engine.CLUSTER}
        assert len(engines) == 1


def test_off_chip_costs_the_link_and_the_usual_home_comes_first() -> None:
    for item in items_of(GRAPH).values():
        near = [option for option in item.options if MemoryId.L3 not in dict(option.usage)]
        far = [option for option in item.options if MemoryId.L3 in dict(option.usage)]
        for option in far:
            assert option.load.decode_link > 0 or option.load.decode_work > 0
            same = [one for one in near if one.engine is option.engine]
            assert min(one.load.cycles for one in same) <= option.load.cycles


def test_free_bytes_are_what_headers_gaps_and_spilled_buffers_leave() -> None:
    problem = problem_of(GRAPH)
    assert MemoryId.L1 not in problem.free_bytes
    for memory in SIRACUSA.memories[1:]:
        spilled = 128 if memory.id is MemoryId.L2 else 0
        free = memory.capacity_bytes - overhead_bytes(memory) - spilled
        assert problem.free_bytes[memory.id] == free
    assert problem.page_ring == (MemoryId.SRAM, 4 * 65536)
    assert problem.fixed.prefill_work > 0
    assert problem.fixed.decode_work > 0


def test_longer_steps_need_fewer_cycles_of_prefill() -> None:
    """Weights are read once for all tokens of a step."""
    name = "model.layers.0.mlp.up_proj.weight"
    least = []
    for chunk in (1, 4, 20):
        problem = problem_of(GRAPH, Engine.NEUREKA_3X3, setting_of(chunk))
        item = next(item for item in problem.items if item.name == name)
        least.append(item.options[0].load.prefill_work)
    assert least == sorted(least, reverse=True)
    assert least[0] > least[-1]


def test_more_room_for_scores_takes_more_tokens_at_once() -> None:
    setting = setting_of()
    repeat, context = 2, GRAPH.context
    for scores, tokens in ((0, 1), (4 * repeat * context * 3, 3), (4 * repeat * context * 8, 8)):
        working = replace(setting.working, scores_bytes=scores)
        assert items_at_once(GRAPH, "l0.keys", replace(setting, working=working)) == tokens


# ---- mapping


@pytest.mark.parametrize("rows", [1, 31, 32, 100, 280, 576, 1536, 4096])
def test_a_divided_matrix_has_whole_tiles_on_the_engine(rows: int) -> None:
    matrix = DenseType(rows=rows, depth=64, bits=8, group=0)
    for mapping in (*engine_choices(matrix, None), map_linear(matrix, Engine.SPLIT)):
        assert 0 <= mapping.engine_rows <= rows
        assert mapping.reason
        assert (mapping.engine_rows == 0) is (mapping.engine is Engine.CLUSTER)
        if mapping.engine is Engine.SPLIT:
            assert mapping.engine_rows % 32 == 0
            assert mapping.engine_rows < rows
    asked = map_linear(matrix, Engine.SPLIT)
    assert asked.engine_rows == split_rows(rows)
    assert asked.engine is (Engine.SPLIT if rows >= 43 else Engine.CLUSTER)


def test_a_fine_share_is_offered_where_there_are_tiles_to_share() -> None:
    def shares(rows: int) -> list[int]:
        matrix = DenseType(rows=rows, depth=64, bits=8, group=0)
        choices = engine_choices(matrix, None)
        return [rows - one.engine_rows for one in choices if one.engine is Engine.SPLIT]

    assert shares(32 * FINE_SPLIT - 1) == []
    assert shares(32 * FINE_SPLIT) == [32]
    assert shares(32 * FINE_SPLIT * 3) == [96]


@pytest.mark.parametrize("engine", [None, Engine.NEUREKA_3X3, Engine.SPLIT])
def test_unsigned_engines_and_tables_keep_groups_on_the_cluster(engine: Engine | None) -> None:
    matrix = DenseType(rows=256, depth=64, bits=4, group=32)
    for flags in ({"is_table": True}, {"is_unsigned": True}):
        (only,) = engine_choices(matrix, engine, **flags)
        assert only.engine is Engine.CLUSTER
        assert "group" in only.reason
    assert engine_choices(matrix, engine)[0].engine is not Engine.CLUSTER
