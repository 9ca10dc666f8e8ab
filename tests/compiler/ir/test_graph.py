"""What ops read and write, and looking things up in a graph."""

from __future__ import annotations

import pytest
from checkpoints import tiny_config
from graph_strategies import graphs
from hypothesis import given, settings

from aretusa.frontend.llama_graph import llama_graph
from aretusa.ir import ops
from aretusa.ir.graph import Graph, substitute
from aretusa.ir.types import TOKENS, DType, TensorType, Value

FLOAT = TensorType((TOKENS, 8), DType.F32)
X, Y, Z = (Value(name, FLOAT) for name in "xyz")
LINEAR = ops.Linear(layer=0, src=X, weight="w", bias="b", residual=Y, out=Z)
ATTENTION = ops.Attention(
    layer=0, query=X, key=Y, value=X, key_cache="keys", value_cache="values", out=Z
)
CACHED = ops.CachedAttention(layer=0, query=X, key_cache="keys", value_cache="values", out=Z)
APPEND = ops.CacheAppend(layer=0, src=X, norm_weight="n", norm_eps=1e-6, rope=True, cache="keys")


@pytest.fixture
def graph() -> Graph:
    return llama_graph(tiny_config(), name="tiny", chunk_max=8, context=16)


def test_inputs_stand_in_the_order_of_the_fields() -> None:
    assert ops.inputs(LINEAR) == (X, Y)
    assert ops.inputs(ATTENTION) == (X, Y, X)
    assert ops.inputs(APPEND) == (X,)


def test_results() -> None:
    assert ops.result(LINEAR) == Z
    assert ops.result(APPEND) is None


def test_weights_are_found_by_the_names_of_the_fields() -> None:
    assert ops.weights(LINEAR) == ("w", "b")
    assert ops.weights(APPEND) == ("n",)
    assert ops.weights(ops.Embed(layer=None, tokens=X, table="t", out=Y)) == ("t",)
    assert ops.weights(CACHED) == ()


def test_caches_that_are_read_and_written() -> None:
    assert ops.written_caches(ATTENTION) == ops.read_caches(ATTENTION) == ("keys", "values")
    assert (ops.written_caches(APPEND), ops.read_caches(APPEND)) == (("keys",), ())
    assert (ops.written_caches(CACHED), ops.read_caches(CACHED)) == ((), ("keys", "values"))
    assert (ops.written_caches(LINEAR), ops.read_caches(LINEAR)) == ((), ())


def test_substitute_replaces_inputs_and_never_the_result() -> None:
    other = Value("other", FLOAT)
    changed = substitute(LINEAR, {"y": other, "z": other})
    assert ops.inputs(changed) == (X, other)
    assert ops.result(changed) == Z
    assert substitute(LINEAR, {"z": other}) is LINEAR


def test_readers_count_every_reading(graph: Graph) -> None:
    readers = graph.readers()
    hidden = "l0.o_proj.sum"
    assert [type(op).__name__ for op in readers[hidden]] == ["RmsNorm", "Add"]
    assert "logits" not in readers


def test_caches_and_weights_are_found_by_name(graph: Graph) -> None:
    assert graph.cache("l1.values").heads == 2
    assert graph.role_cache("keys").name == "l0.keys"
    assert str(graph.weight_types()["lm_head.weight"]) == "w32[80x64]"


@settings(max_examples=25)
@given(graphs())
def test_every_value_but_the_logits_is_read_after_lowering(graph: Graph) -> None:
    made = {out.name for op in graph.ops if (out := ops.result(op)) is not None}
    read = {value.name for op in graph.ops for value in ops.inputs(op)}
    assert read - made == {"tokens"}
