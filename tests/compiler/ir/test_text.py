"""The text form holds the whole graph and refuses what it does not know."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from checkpoints import tiny_config
from graph_strategies import graphs
from hypothesis import given, settings

from aretusa.frontend.llama_config import Family
from aretusa.frontend.llama_graph import llama_graph
from aretusa.ir.text import parse_graph, print_graph, print_op
from aretusa.passes.pipeline import LOWERING, run_passes

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph


@settings(max_examples=25)
@given(graphs())
def test_text_holds_the_whole_graph(graph: Graph) -> None:
    text = print_graph(graph)
    assert parse_graph(text) == graph
    assert print_graph(parse_graph(text)) == text


@settings(max_examples=25)
@given(graphs())
def test_text_has_one_line_per_declaration_and_op(graph: Graph) -> None:
    lines = print_graph(graph).split("\n")
    assert len(lines) == 4 + len(graph.weights) + len(graph.caches) + len(graph.ops)


def test_a_lowered_block_reads_like_this() -> None:
    config = tiny_config(Family.QWEN3, layers=1, ties_embeddings=True)
    graph = llama_graph(config, name='a "tiny" model', chunk_max=8, context=64)
    text = print_graph(run_passes(graph, LOWERING))
    assert text.splitlines()[:3] == [
        r'graph "a \"tiny\" model" chunk_max=8 context=64 rope_dim=32',
        'weight "model.embed_tokens.weight": w32[80x64]',
        'weight "model.layers.0.input_layernorm.weight": f32[64]',
    ]
    ops = dedent("""\
        %l0.attention_input.codes: q8[tokensx64] = RmsNormQuantise(src=%embedded, \
        weight="model.layers.0.input_layernorm.weight", eps=1e-05) layer 0
        %l0.q_proj: f32[tokensx128] = Linear(src=%l0.attention_input.codes, \
        weight="model.layers.0.self_attn.q_proj.weight") layer 0
        %l0.k_proj: f32[tokensx64] = Linear(src=%l0.attention_input.codes, \
        weight="model.layers.0.self_attn.k_proj.weight") layer 0
        %l0.v_proj: f32[tokensx64] = Linear(src=%l0.attention_input.codes, \
        weight="model.layers.0.self_attn.v_proj.weight") layer 0
        %l0.q_proj.rotated.codes: q8[tokensx4x32] = HeadsQuantise(src=%l0.q_proj, \
        norm_weight="model.layers.0.self_attn.q_norm.weight", norm_eps=1e-05, rope=true) layer 0
        CacheAppend(src=%l0.k_proj, norm_weight="model.layers.0.self_attn.k_norm.weight", \
        norm_eps=1e-05, rope=true, cache="l0.keys") layer 0
        CacheAppend(src=%l0.v_proj, norm_eps=0.0, rope=false, cache="l0.values") layer 0
        %l0.attended: f32[tokensx128] = CachedAttention(query=%l0.q_proj.rotated.codes, \
        key_cache="l0.keys", value_cache="l0.values") layer 0
        """).replace("        ", "")
    assert ops in text


def test_a_missing_header_is_refused() -> None:
    with pytest.raises(ValueError, match="the first line is not a graph header"):
        parse_graph("")


@pytest.mark.parametrize("line", ["%a: f32[2] = Sqrt(src=%x) layer 0", "nonsense"])
def test_a_line_that_is_no_op_is_named(line: str) -> None:
    header = 'graph "x" chunk_max=1 context=1 rope_dim=2\ninput %x: token[tokens]\n'
    with pytest.raises(ValueError, match="not an op: ") as caught:
        parse_graph(f"{header}{line}\noutput %x: token[tokens]\n")
    assert str(caught.value) == f"not an op: {line}"


def test_a_cache_that_is_not_understood_is_named() -> None:
    header = 'graph "x" chunk_max=1 context=1 rope_dim=2\n'
    with pytest.raises(ValueError, match="not a cache: keys: 3x8 bits"):
        parse_graph(f"{header}cache keys: 3x8 bits\n")


def test_a_value_that_nothing_defines_is_named() -> None:
    header = 'graph "x" chunk_max=1 context=1 rope_dim=2\ninput %x: token[tokens]\n'
    op = "%a: f32[2] = Rope(src=%y) layer 0"
    with pytest.raises(ValueError, match="%y is not defined before %a"):
        parse_graph(f"{header}{op}\noutput %a: f32[2]\n")


def test_a_graph_has_both_ends() -> None:
    with pytest.raises(ValueError, match="one input and one output"):
        parse_graph('graph "x" chunk_max=1 context=1 rope_dim=2\ninput %x: token[tokens]\n')


def test_an_op_prints_without_what_it_does_not_have() -> None:
    graph = llama_graph(tiny_config(layers=1), name="x", chunk_max=1, context=1)
    assert print_op(graph.ops[-1]) == (
        '%logits: f32[1x80] = Linear(src=%head_input, weight="lm_head.weight") layer none'
    )
