"""The whole lowering: what is left, and that fusing changes no bit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from numeric_models import (
    CONFIGS,
    declared_graph,
    different_bits,
    float_graph,
    lowered,
    run_in_chunks,
    some_tokens,
    tiny_weights,
)

from aretusa.ir import ops
from aretusa.passes.pipeline import LOWERING, Pass, run_passes
from aretusa.reference.interpreter import Interpreter

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph

RUNTIME_OPS = (
    ops.Embed
    | ops.RmsNormQuantise
    | ops.Linear
    | ops.Quantise
    | ops.SiluMulQuantise
    | ops.HeadsQuantise
    | ops.CacheAppend
    | ops.CachedAttention
    | ops.SelectRow
)
NAMES = [step.name for step in LOWERING]
# Up to here the graph is made into integers; the passes after it keep every bit.
QUANTISED = NAMES.index("quantise_linear_inputs") + 1


@pytest.mark.parametrize("model", CONFIGS)
def test_only_ops_of_the_runtime_are_left(model: str) -> None:
    config = CONFIGS[model]
    graph = lowered(config, tiny_weights(config))
    assert [op for op in graph.ops if not isinstance(op, RUNTIME_OPS)] == []
    assert [weight for weight in graph.weights if "w32" in str(weight.type)] == []


@pytest.mark.parametrize("last", range(QUANTISED + 1, len(LOWERING) + 1), ids=NAMES[QUANTISED:])
@pytest.mark.parametrize("model", CONFIGS)
def test_fusing_changes_no_bit(model: str, last: int) -> None:
    config = CONFIGS[model]
    weights = tiny_weights(config, "w4g32")
    tokens = some_tokens(config, 10)
    machines = [
        Interpreter(lowered(config, weights, LOWERING[:steps]), weights)
        for steps in (QUANTISED, last)
    ]
    before, after = (run_in_chunks(machine, tokens, 4) for machine in machines)
    assert different_bits(before, after) == 0
    for name, cache in machines[0].caches.items():
        assert (cache.codes == machines[1].caches[name].codes).all()
        assert different_bits(cache.scales, machines[1].caches[name].scales) == 0


@pytest.mark.parametrize("step", LOWERING, ids=NAMES)
def test_a_pass_finds_nothing_left_to_do(step: Pass) -> None:
    config = CONFIGS["qwen3"]
    graph = lowered(config, tiny_weights(config))
    if step.name != "fuse_heads":  # which needs the views that it made superfluous
        assert step.run(graph) == graph


def test_the_observer_sees_each_pass_in_order() -> None:
    config = CONFIGS["llama"]
    seen: list[str] = []
    graph = declared_graph(config, tiny_weights(config))
    final = run_passes(graph, LOWERING, observe=lambda name, _: seen.append(name))
    assert seen == NAMES
    assert final == run_passes(graph, LOWERING)


def test_a_broken_pass_is_named() -> None:
    def forget_the_end(graph: Graph) -> Graph:
        return replace(graph, ops=graph.ops[:-1])

    with pytest.raises(AssertionError, match="forget_the_end: the logits are not computed"):
        run_passes(float_graph(CONFIGS["llama"]), [Pass("forget_the_end", forget_the_end)])
