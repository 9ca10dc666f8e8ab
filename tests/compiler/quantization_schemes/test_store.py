"""What is declared is what the matrices are: one decision, with the weights and without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from checkpoints import tiny_config, write_gguf_llama, write_hf_llama

from aretusa.errors import UsageError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.llama_config import Family
from aretusa.frontend.llama_graph import EMBEDDING, HEAD, llama_graph
from aretusa.frontend.outline import open_outline
from aretusa.ir.types import DenseType
from aretusa.quantization.policy import Policy, Rule
from aretusa.quantization.schemes import SCHEMES
from aretusa.quantization.store import DeclaredWeights, QuantisedCheckpoint, declare_quantised

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.ir.graph import Graph

CONTEXT: Final = 16
MIXED: Final = Policy(
    (
        Rule("*", SCHEMES["w5"]),
        Rule("model.layers.1.*", SCHEMES["w4g32"]),
        Rule("*.down_proj.weight", SCHEMES["w2"]),
        Rule(EMBEDDING, SCHEMES["w3"]),
    )
)


def graph_of(config: LlamaConfig) -> Graph:
    return llama_graph(config, name="tiny", chunk_max=4, context=CONTEXT)


def types_of(graph: Graph) -> dict[str, DenseType]:
    types = graph.weight_types()
    return {name: one for name, one in types.items() if isinstance(one, DenseType)}


def model_files(tmp_path: Path, kind: str) -> Path:
    if kind == "huggingface":
        write_hf_llama(tmp_path / "model", tiny_config(Family.QWEN3, ties_embeddings=True))
        return tmp_path / "model"
    path = tmp_path / "model.gguf"
    write_gguf_llama(path, tiny_config(), matrix_type=kind, embedding_type="F16")
    return path


@pytest.mark.parametrize("requantises", [False, True])
@pytest.mark.parametrize("rules", [Policy(), MIXED], ids=["scheme", "policy"])
@pytest.mark.parametrize("kind", ["huggingface", "F16", "Q8_0", "Q4_0", "Q4_1"])
def test_declared_types_are_those_of_the_matrices(
    tmp_path: Path, kind: str, rules: Policy, *, requantises: bool
) -> None:
    path = model_files(tmp_path, kind)
    if rules is MIXED and kind.startswith("Q") and not requantises:
        rules = Policy(MIXED.rules[-1:])  # the others would have no effect
    checkpoint = open_checkpoint(path)
    weights = QuantisedCheckpoint(
        checkpoint=checkpoint,
        scheme=SCHEMES["w6"],
        context=CONTEXT,
        requantises=requantises,
        policy=rules,
    )
    declared = declare_quantised(graph_of(checkpoint.config), weights)
    types = types_of(declared)
    assert {name: DenseType.of(weights.matrix(name)) for name in types} == types
    outline = open_outline(path)
    forms = {} if requantises else outline.forms
    without = DeclaredWeights(scheme=SCHEMES["w6"], policy=rules, forms=forms)
    assert declare_quantised(graph_of(outline.config), without) == declared


def test_without_rules_embedding_and_head_have_8_bits_per_row() -> None:
    graph = graph_of(tiny_config())
    types = types_of(declare_quantised(graph, DeclaredWeights(scheme=SCHEMES["w4g64"])))
    assert {types.pop(EMBEDDING).bits, types.pop(HEAD).bits} == {8}
    assert {(one.bits, one.group, one.zero) for one in types.values()} == {(4, 64, 8)}


def test_a_rule_decides_over_scheme_and_default() -> None:
    weights = DeclaredWeights(scheme=SCHEMES["w6"], policy=MIXED)
    types = types_of(declare_quantised(graph_of(tiny_config()), weights))
    found = {name: str(one).partition("[")[0] for name, one in types.items()}
    assert found[EMBEDDING] == "w3"
    assert found[HEAD] == "w5"
    assert found["model.layers.0.self_attn.q_proj.weight"] == "w5"
    assert types["model.layers.1.self_attn.q_proj.weight"].group == 32
    assert found["model.layers.1.mlp.down_proj.weight"] == "w2"


def test_each_matrix_is_rounded_by_its_own_scheme(tmp_path: Path) -> None:
    source = write_hf_llama(tmp_path, tiny_config())
    weights = QuantisedCheckpoint(
        checkpoint=open_checkpoint(tmp_path), scheme=SCHEMES["w8"], context=CONTEXT, policy=MIXED
    )
    errors = {}
    for name in ("model.layers.0.mlp.down_proj.weight", "model.layers.0.mlp.up_proj.weight"):
        matrix = weights.matrix(name)
        signed = np.abs(matrix.codes.astype(np.int64) - matrix.zero)
        errors[matrix.bits] = np.abs(matrix.dequantise() - source[name]).mean()
        assert signed.max() == 2 ** (matrix.bits - 1) - 1
        np.testing.assert_array_equal(weights.real_matrix(name), source[name])
    assert errors[2] > 4 * errors[5]


def test_codes_of_the_checkpoint_stay_whatever_the_scheme(tmp_path: Path) -> None:
    path = model_files(tmp_path, "Q4_1")
    checkpoint = open_checkpoint(path)
    name = "model.layers.0.mlp.up_proj.weight"
    for scheme in SCHEMES.values():
        weights = QuantisedCheckpoint(checkpoint=checkpoint, scheme=scheme, context=CONTEXT)
        assert weights.matrix(name).minimums is not None
    rule = Policy((Rule("*.up_proj.weight", SCHEMES["w4"]),))
    weights = QuantisedCheckpoint(
        checkpoint=checkpoint, scheme=SCHEMES["w8"], context=CONTEXT, policy=rule
    )
    with pytest.raises(UsageError, match=r"E0014.*keep the codes"):
        declare_quantised(graph_of(checkpoint.config), weights)


def test_a_rule_about_a_head_that_is_tied_has_no_effect_and_is_refused() -> None:
    rule = Policy((Rule(HEAD, SCHEMES["w4"]),))
    weights = DeclaredWeights(scheme=SCHEMES["w8"], policy=rule)
    declare_quantised(graph_of(tiny_config()), weights)
    with pytest.raises(UsageError, match=r"E0014.*rule 1 matches no matrix.*lm_head"):
        declare_quantised(graph_of(tiny_config(ties_embeddings=True)), weights)
