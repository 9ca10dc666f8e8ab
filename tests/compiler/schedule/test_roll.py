"""Layers of one shape share their ops; a layer that differs gets a kind of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_models import lowered_graph, runnable_config, two_kind_graph

from aretusa.frontend.llama_config import Family
from aretusa.ir import ops
from aretusa.ir.ops import inputs, result, weights
from aretusa.schedule.roll import HIDDEN, layer_cache, layer_weight, roll

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_equal_layers_are_one_kind(family: Family, layers: int) -> None:
    rolled = roll(lowered_graph(runnable_config(family, layers=layers)))
    assert [kind.layers for kind in rolled.kinds] == [tuple(range(layers))]
    assert rolled.order == tuple((0, layer) for layer in range(layers))


def test_a_layer_of_another_shape_is_another_kind() -> None:
    rolled = roll(two_kind_graph(layers=5, wide=(1, 4)))
    assert [kind.layers for kind in rolled.kinds] == [(0, 2, 3), (1, 4)]
    assert rolled.order == ((0, 0), (1, 0), (0, 1), (0, 2), (1, 1))


def test_a_layer_of_other_ops_is_another_kind() -> None:
    graph = lowered_graph(runnable_config(layers=3))
    changed = [without_rope(op) if op.layer == 2 else op for op in graph.ops]
    rolled = roll(graph.with_ops(changed))
    assert [kind.layers for kind in rolled.kinds] == [(0, 1), (2,)]


def without_rope(op: Op) -> Op:
    match op:
        case ops.HeadsQuantise():
            return ops.HeadsQuantise(
                layer=op.layer,
                src=op.src,
                norm_weight=op.norm_weight,
                norm_eps=op.norm_eps,
                rope=False,
                out=op.out,
            )
        case _:
            return op


def unrolled(graph: Graph) -> list[tuple[Op, int | None]]:
    """The ops that the rolled program runs, each with its layer."""
    rolled = roll(graph)
    steps: list[tuple[Op, int | None]] = [(op, None) for op in rolled.prologue]
    for kind, row in rolled.order:
        layer = rolled.kinds[kind].layers[row]
        steps += [(op, layer) for op in rolled.kinds[kind].ops]
    return steps + [(op, None) for op in rolled.epilogue]


@pytest.mark.parametrize("graph", [lowered_graph(), two_kind_graph(layers=4, wide=(0, 3))])
def test_the_rolled_program_runs_the_ops_of_the_graph_in_order(graph: Graph) -> None:
    expected = [op for op in graph.ops if not isinstance(op, ops.SelectRow)]
    found = unrolled(graph)
    assert len(found) == len(expected)
    for (op, layer), original in zip(found, expected, strict=True):
        assert type(op) is type(original)
        assert layer == original.layer
        names = weights(op) if layer is None else [layer_weight(w, layer) for w in weights(op)]
        assert list(names) == list(weights(original))
        if isinstance(op, ops.CacheAppend):
            assert isinstance(original, ops.CacheAppend)
            assert layer is not None
            assert layer_cache(op.cache, layer) == original.cache
        for value, wanted in zip(inputs(op), inputs(original), strict=True):
            assert value.type == wanted.type


def test_values_meet_in_the_same_buffers() -> None:
    """Following buffers through the rolled program gives the same data flow as the graph."""
    graph = lowered_graph(runnable_config(layers=3))
    holds: dict[str, str] = {"tokens": "tokens"}
    originals = iter(op for op in graph.ops if not isinstance(op, ops.SelectRow))
    selected = {op.out.name: op.src.name for op in graph.ops if isinstance(op, ops.SelectRow)}
    for op, _ in unrolled(graph):
        original = next(originals)
        for value, wanted in zip(inputs(op), inputs(original), strict=True):
            assert holds[value.name] == selected.get(wanted.name, wanted.name)
        out, wanted_out = result(op), result(original)
        if out is not None and wanted_out is not None:
            holds[out.name] = wanted_out.name


def test_the_residual_stream_stays_in_one_buffer() -> None:
    rolled = roll(lowered_graph())
    sums = [
        op for op in rolled.kinds[0].ops if isinstance(op, ops.Linear) and op.residual is not None
    ]
    assert len(sums) == 2
    assert {op.out.name for op in sums} == {HIDDEN}
    assert {op.residual.name for op in sums if op.residual} == {HIDDEN}
