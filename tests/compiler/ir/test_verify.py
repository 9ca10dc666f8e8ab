"""Each invariant of a graph, broken once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from checkpoints import tiny_config
from graph_strategies import graphs
from hypothesis import given, settings

from aretusa.frontend.llama_config import Family
from aretusa.frontend.llama_graph import llama_graph
from aretusa.ir.text import parse_graph, print_graph
from aretusa.ir.verify import verify
from aretusa.passes.pipeline import LOWERING, run_passes

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph

FLOAT = llama_graph(
    tiny_config(Family.QWEN3, layers=1, has_qkv_bias=True), name="tiny", chunk_max=8, context=16
)
LOWERED = run_passes(FLOAT, LOWERING)
PATH = "model.layers.0"
KEY_APPEND = (
    f'CacheAppend(src=%l0.k_proj, norm_weight="{PATH}.self_attn.k_norm.weight", '
    'norm_eps=1e-05, rope=true, cache="l0.keys") layer 0\n'
)
NORM = f'weight "{PATH}.input_layernorm.weight": f32[64]'

# What is replaced by what, and what the message says.
BROKEN_FLOAT = {
    "a weight declared twice": (f"{NORM}\n", f"{NORM}\n{NORM}\n", "a weight is declared twice"),
    "a norm of another size": (
        NORM,
        NORM.replace("64", "65"),
        "RmsNorm in layer 0: .* is f32.65., expected 64 numbers",
    ),
    "split heads of another size": (
        "%l0.q_proj.heads: f32[tokensx4x32]",
        "%l0.q_proj.heads: f32[tokensx4x31]",
        r"SplitHeads in layer 0: shape \(124,\), expected \(128,\)",
    ),
    "a sum of another shape": (
        "%l0.o_proj.sum: f32[tokensx64] = Add",
        "%l0.o_proj.sum: f32[tokensx63] = Add",
        "Add in layer 0: shape",
    ),
    "an activation of another shape": (
        "%l0.activated: f32[tokensx96]",
        "%l0.activated: f32[tokensx95]",
        "SiluMul in layer 0: shape",
    ),
    "a rotation of another shape": (
        "%l0.q_proj.rotated: f32[tokensx4x32]",
        "%l0.q_proj.rotated: f32[tokensx4x30]",
        "Rope in layer 0: shape",
    ),
    "attention of another shape": (
        "%l0.attended.heads: f32[tokensx4x32]",
        "%l0.attended.heads: f32[tokensx4x16]",
        "Attention in layer 0: shape",
    ),
    "two rows selected": (
        "%selected: f32[1x64]",
        "%selected: f32[2x64]",
        "SelectRow in layer None: shape",
    ),
}
BROKEN_LOWERED = {
    "a weight that is not declared": (
        f'weight "{PATH}.mlp.up_proj.weight": w32[96x64]\n',
        "",
        f"Linear in layer 0 reads the undeclared weight {PATH}.mlp.up_proj.weight",
    ),
    "a cache that is not declared": (
        "cache l0.keys: 2x32\n",
        "",
        "CacheAppend in layer 0 writes an undeclared cache",
    ),
    "a cache that is not written": (
        KEY_APPEND,
        "",
        "CachedAttention in layer 0 reads a cache before it is written",
    ),
    "a cache of another size": (
        "cache l0.keys: 2x32\n",
        "cache l0.keys: 2x30\n",
        r"CacheAppend in layer 0: shape \(64,\), expected \(60,\)",
    ),
    "an embedding of another size": (
        "%embedded: f32[tokensx64] = Embed",
        "%embedded: f32[tokensx60] = Embed",
        "Embed in layer None: shape",
    ),
    "a table that is no matrix": (
        'weight "model.embed_tokens.weight": w32[80x64]',
        'weight "model.embed_tokens.weight": f32[80]',
        "the table is not a matrix",
    ),
    "a matrix of another depth": (
        f'"{PATH}.mlp.up_proj.weight": w32[96x64]',
        f'"{PATH}.mlp.up_proj.weight": w32[96x63]',
        "Linear in layer 0: depth 63 for %l0.ffn_input.codes",
    ),
    "a matrix with other rows": (
        f'"{PATH}.mlp.up_proj.weight": w32[96x64]',
        f'"{PATH}.mlp.up_proj.weight": w32[95x64]',
        "Linear in layer 0: shape",
    ),
    "a linear layer of a vector": (
        f'"{PATH}.mlp.up_proj.weight": w32[96x64]',
        f'"{PATH}.mlp.up_proj.weight": f32[96]',
        "up_proj.weight is not a matrix",
    ),
    "a bias of another size": (
        f'"{PATH}.self_attn.q_proj.bias": f32[128]',
        f'"{PATH}.self_attn.q_proj.bias": f32[127]',
        "Linear in layer 0: .* is f32.127., expected 128 numbers",
    ),
    "a residual of another shape": (
        "residual=%embedded",
        "residual=%l0.q_proj",
        r"Linear in layer 0: shape \('tokens', 64\), expected \('tokens', 128\)",
    ),
    "a head norm of another size": (
        f'"{PATH}.self_attn.q_norm.weight": f32[32]',
        f'"{PATH}.self_attn.q_norm.weight": f32[31]',
        "HeadsQuantise in layer 0: .* is f32.31., expected 32 numbers",
    ),
    "a key norm of another size": (
        f'"{PATH}.self_attn.k_norm.weight": f32[32]',
        f'"{PATH}.self_attn.k_norm.weight": f32[31]',
        "CacheAppend in layer 0: .* is f32.31., expected 32 numbers",
    ),
    "narrow keys without zero points": (
        "cache l0.keys: 2x32",
        "cache l0.keys: 2x32 4 bits",
        "CachedAttention in layer 0: zero points of .l0.keys",
    ),
    "values with zero points": (
        "cache l0.values: 2x32",
        "cache l0.values: 2x32 4 bits zeros",
        "CachedAttention in layer 0: zero points of .l0.values",
    ),
    "a cache of another width": (
        "cache l0.values: 2x32",
        "cache l0.values: 2x32 5 bits",
        "width of a cache",
    ),
    "codes called real": (
        "%l0.ffn_input.codes: q8[",
        "%l0.ffn_input.codes: f32[",
        "RmsNormQuantise in layer 0: %l0.ffn_input.codes: f32",
    ),
    "real numbers called codes": (
        "%l0.gate_proj: f32[",
        "%l0.gate_proj: q8[",
        "Linear in layer 0: %l0.gate_proj: q8",
    ),
    "an activation of codes": (
        "up=%l0.up_proj",
        "up=%l0.ffn_input.codes",
        "SiluMulQuantise in layer 0 cannot read %l0.ffn_input.codes: q8",
    ),
    "an embedding of real numbers": (
        "input %tokens: token[tokens]",
        "input %tokens: f32[tokens]",
        "Embed in layer None cannot read %tokens: f32",
    ),
    "attention to real queries": (
        "query=%l0.q_proj.rotated.codes",
        "query=%l0.q_proj",
        "CachedAttention in layer 0 cannot read %l0.q_proj: f32",
    ),
    "logits that nothing computes": (
        "output %logits: f32[1x80]",
        "output %other: f32[1x80]",
        "the logits are not computed",
    ),
}


@settings(max_examples=25)
@given(graphs())
def test_graphs_of_the_frontend_are_right_after_any_pass(graph: Graph) -> None:
    verify(graph, after="a pass")


def _check(graph: Graph, old: str, new: str, message: str) -> None:
    text = print_graph(graph)
    assert old in text, f"{old!r} is not in the text"
    broken = parse_graph(text.replace(old, new, 1))
    with pytest.raises(AssertionError, match=f"^a bad pass: .*{message}"):
        verify(broken, after="a bad pass")


@pytest.mark.parametrize("case", BROKEN_FLOAT)
def test_a_broken_float_graph_is_caught(case: str) -> None:
    _check(FLOAT, *BROKEN_FLOAT[case])


@pytest.mark.parametrize("case", BROKEN_LOWERED)
def test_a_broken_lowered_graph_is_caught(case: str) -> None:
    _check(LOWERED, *BROKEN_LOWERED[case])


def test_a_value_is_defined_before_it_is_read() -> None:
    first, second, *rest = LOWERED.ops
    with pytest.raises(AssertionError, match=r"reads %embedded: .*, not defined so before"):
        verify(LOWERED.with_ops([second, first, *rest]), after="a bad pass")


def test_a_value_is_defined_once() -> None:
    with pytest.raises(AssertionError, match=r"Embed in layer None defines %embedded: .* twice"):
        verify(LOWERED.with_ops([LOWERED.ops[0], *LOWERED.ops]), after="a bad pass")
