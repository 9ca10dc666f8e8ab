"""open_shapes(): a plan's view of a model is that of the whole checkpoint."""

from __future__ import annotations

import shutil
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tiny_models import write_gguf_model

from aretusa.errors import ModelError, UsageError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.llama_graph import EMBEDDING, llama_graph
from aretusa.quantization.policy import Policy, Rule
from aretusa.quantization.schemes import SCHEMES
from aretusa.quantization.store import QuantisedCheckpoint, declare_quantised
from aretusa.shapes import open_shapes
from aretusa.tokenizer.image import tokenizer_image
from aretusa.tokenizer_files import read_tokenizer

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.shapes import ShapesOnly

CONFIGS: Final = Path(__file__).parents[2] / "examples" / "configs"
RULES: Final = Policy((Rule(EMBEDDING, SCHEMES["w5"]), Rule("*.k_proj.*", SCHEMES["w3"])))


def graph_of(model: ShapesOnly) -> Graph:
    return llama_graph(model.config, name=model.name, chunk_max=4, context=16)


@pytest.fixture(params=["huggingface", "Q4_1", "F16"])
def model(request: pytest.FixtureRequest, tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint with its tokenizer."""
    if request.param == "huggingface":
        return tiny_model
    path = tmp_path / "model.gguf"
    return write_gguf_model(path, matrix_type=request.param, embedding_type="F32")


def test_everything_is_exact_where_the_checkpoint_is_there(model: Path) -> None:
    shapes, checkpoint = open_shapes(model), open_checkpoint(model)
    assert (shapes.name, shapes.kind, shapes.path) == (checkpoint.name, checkpoint.kind, model)
    assert shapes.config == checkpoint.config
    stored = checkpoint.store.shapes
    assert shapes.parameters == sum(prod(stored[name]) for name in checkpoint.tensor_names)
    assert shapes.tokenizer_bytes == len(tokenizer_image(read_tokenizer(checkpoint)))
    assert not shapes.tokenizer_is_estimated


@pytest.mark.parametrize("requantises", [False, True])
def test_weights_are_declared_as_a_checkpoint_declares_them(
    model: Path, *, requantises: bool
) -> None:
    shapes, checkpoint = open_shapes(model), open_checkpoint(model)
    rules = RULES if requantises or not shapes.forms else Policy(RULES.rules[:1])
    loaded = QuantisedCheckpoint(
        checkpoint=checkpoint,
        scheme=SCHEMES["w4g32"],
        context=16,
        requantises=requantises,
        policy=rules,
    )
    declared = shapes.weights(SCHEMES["w4g32"], rules, requantises=requantises)
    graph = graph_of(shapes)
    assert declare_quantised(graph, declared) == declare_quantised(graph, loaded)


def test_weights_of_a_directory_may_be_absent(tiny_model: Path, tmp_path: Path) -> None:
    bare = tmp_path / tiny_model.name
    shutil.copytree(tiny_model, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    whole, found = open_shapes(tiny_model), open_shapes(bare)
    assert not found.tokenizer_is_estimated
    assert (found.config, found.parameters) == (whole.config, whole.parameters)
    assert found.tokenizer_bytes == whole.tokenizer_bytes
    (bare / "tokenizer.json").unlink()
    estimated = open_shapes(bare)
    assert estimated.tokenizer_is_estimated
    assert estimated.tokenizer_bytes >= whole.tokenizer_bytes


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_a_published_configuration_is_a_whole_graph(path: Path) -> None:
    shapes = open_shapes(path)
    assert shapes.tokenizer_is_estimated
    graph = declare_quantised(graph_of(shapes), shapes.weights(SCHEMES["w4"], RULES))
    types = {name: str(kind) for name, kind in graph.weight_types().items()}
    config = shapes.config
    assert types[EMBEDDING] == f"w5[{config.vocab_size}x{config.hidden_size}]"
    for layer in range(config.layers):
        attention = f"model.layers.{layer}.self_attn"
        assert types[f"{attention}.k_proj.weight"].startswith(f"w3[{config.kv_size}x")
        assert types[f"{attention}.v_proj.weight"].startswith(f"w4[{config.kv_size}x")


def test_a_tokenizer_that_cannot_be_used_is_an_error(tiny_model: Path, tmp_path: Path) -> None:
    bare = shutil.copytree(tiny_model, tmp_path / "model")
    (bare / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="E0220"):
        open_shapes(bare)


def test_a_rule_that_matches_nothing_is_found_before_any_weight_is_read() -> None:
    shapes = open_shapes(CONFIGS / "llama-3.2-1b.json")
    rules = Policy((Rule("model.layers.16.*", SCHEMES["w8"]),))
    with pytest.raises(UsageError, match=r"E0014.*model\.layers\.16"):
        declare_quantised(graph_of(shapes), shapes.weights(SCHEMES["w4"], rules))
