"""The exported model: every bit of the interpreter, well-formed, and the same every time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from checkpoints import tiny_config
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric_models import (
    CONFIGS,
    CONTEXT,
    FORMS,
    different_bits,
    float_graph,
    lowered,
    run_in_chunks,
    some_tokens,
    tiny_weights,
)

from aretusa.frontend.llama_config import Family
from aretusa.reference.interpreter import Interpreter
from aretusa.reference.onnx_export import OPSET, export_onnx, save_model, save_onnx
from aretusa.reference.onnx_nodes import IntegerMatmul
from aretusa.reference.onnx_runtime import OnnxProgram, open_session

if TYPE_CHECKING:
    from pathlib import Path

    from numeric_models import TinyWeights

    from aretusa.ir.graph import Graph

TOKENS = 20  # run in chunks of these sizes, one after the other
CHUNKS = (7, 1, 1, 11)


def _different(graph: Graph, weights: TinyWeights, tokens: list[int]) -> int:
    """Elements of logits and caches that differ between interpreter and ONNX Runtime."""
    interpreter, program = Interpreter(graph, weights), OnnxProgram(graph, weights)
    differing = 0
    position = 0
    for chunk in CHUNKS:
        given, rows = tokens[position : position + chunk], range(chunk)
        expected = interpreter.forward(given, position, rows)
        differing += different_bits(expected, program.forward(given, position, rows))
        position += chunk
    for cache in graph.caches:
        expected_cache, found = interpreter.caches[cache.name], program.cache(cache.name)
        differing += int(np.count_nonzero(expected_cache.codes != found.codes))
        differing += different_bits(expected_cache.scales, found.scales)
    return differing


def _cases(models: list[str]) -> list[pytest.param]:
    """Every form once and every model once; the other pairs are slow together."""
    return [
        pytest.param(
            model,
            form,
            marks=() if model == models[0] or form == "w4g32 minimums" else pytest.mark.slow,
        )
        for model in models
        for form in FORMS
    ]


@pytest.mark.parametrize(("model", "form"), _cases(list(CONFIGS)))
def test_onnx_runtime_gives_every_bit_of_the_interpreter(model: str, form: str) -> None:
    config = CONFIGS[model]
    weights = tiny_weights(config, form)
    graph = lowered(config, weights)
    assert _different(graph, weights, some_tokens(config, TOKENS)) == 0


@pytest.mark.parametrize(("model", "form"), _cases(["mistral", "llama_tied"]))
def test_embedding_and_head_may_have_any_form(model: str, form: str) -> None:
    config = CONFIGS[model]
    weights = tiny_weights(config, form, embeds_too=True)
    graph = lowered(config, weights)
    assert _different(graph, weights, some_tokens(config, TOKENS)) == 0


@settings(max_examples=6, deadline=None)
@given(
    half=st.sampled_from([1, 3, 5, 7, 14, 16]),
    kv_bits=st.sampled_from(["4", "4:8", "8:4"]),
    has_norm=st.booleans(),
)
def test_narrow_caches_give_every_bit_of_the_interpreter(
    half: int, kv_bits: str, has_norm: bool
) -> None:
    config = tiny_config(
        Family.QWEN3 if has_norm else Family.LLAMA, head_dim=2 * half, ties_embeddings=True
    )
    weights = tiny_weights(config)
    graph = lowered(config, weights, kv_bits=kv_bits)
    assert _different(graph, weights, some_tokens(config, TOKENS)) == 0


@pytest.mark.parametrize("form", ["w8", "w4g32 minimums"])
def test_int32_products_give_the_same_bits(tmp_path: Path, form: str) -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config, form)
    graph = lowered(config, weights)
    logits = []
    for integer_matmul in IntegerMatmul:
        path = tmp_path / f"{integer_matmul.name}.onnx"
        save_model(export_onnx(graph, weights, integer_matmul), path)
        session = open_session(path)
        logits.append(session.run(["logits"], _first_step(graph, some_tokens(config, 5)))[0])
    assert different_bits(*logits) == 0
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "MatMulInteger" not in kinds


def _first_step(graph: Graph, tokens: list[int]) -> dict[str, np.ndarray]:
    """What a user feeds who has nothing but the file."""
    feeds: dict[str, np.ndarray] = {
        "tokens": np.array(tokens, np.int64),
        "position": np.array(0, np.int64),
        "rows": np.array([len(tokens) - 1], np.int64),
    }
    for cache in graph.caches:
        feeds[f"{cache.name}.codes"] = np.zeros((cache.heads, CONTEXT, cache.dim), np.int8)
        feeds[f"{cache.name}.scales"] = np.zeros((cache.heads, CONTEXT), np.float32)
    return feeds


def test_a_saved_model_is_checked_and_runs(tmp_path: Path) -> None:
    config = CONFIGS["qwen3"]
    weights = tiny_weights(config, "w4g32")
    graph = lowered(config, weights)
    path = tmp_path / "tiny.onnx"
    save_onnx(graph, weights, path)
    onnx.checker.check_model(path, full_check=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.onnx", "tiny.onnx.data"]
    tokens = some_tokens(config, 5)
    session = open_session(path)
    logits = session.run(["logits"], _first_step(graph, tokens))[0]
    expected = Interpreter(graph, weights).forward(tokens, 0, [4])
    assert different_bits(logits, expected) == 0


def test_the_file_uses_one_published_opset_and_our_own_names(tmp_path: Path) -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    graph = lowered(config, weights)
    save_onnx(graph, weights, tmp_path / "tiny.onnx")
    model = onnx.load(tmp_path / "tiny.onnx")
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert model.graph.name == "aretusa"
    assert "optimisations off" in model.doc_string
    outputs = {name for node in model.graph.node for name in node.output}
    quantised = {f"{op.out.name}" for op in graph.ops if hasattr(op, "out")}
    assert quantised <= outputs
    inputs = [value.name for value in model.graph.input]
    assert inputs[:5] == ["tokens", "position", "rows", "l0.keys.codes", "l0.keys.scales"]
    shapes = {
        value.name: [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes["tokens"] == ["tokens"]
    assert shapes["position"] == []
    assert shapes["logits"] == ["rows", config.vocab_size]
    assert shapes["l1.values.codes.after"] == [config.kv_heads, CONTEXT, config.head_dim]
    assert shapes["l1.values.scales.after"] == [config.kv_heads, CONTEXT]


def test_a_tied_embedding_is_stored_once(tmp_path: Path) -> None:
    config = CONFIGS["llama_tied"]
    weights = tiny_weights(config)
    save_onnx(lowered(config, weights), weights, tmp_path / "tiny.onnx")
    shapes = [tuple(t.dims) for t in onnx.load(tmp_path / "tiny.onnx").graph.initializer]
    assert shapes.count((config.hidden_size, config.vocab_size)) == 1


def test_exports_of_one_graph_are_equal(tmp_path: Path) -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config, "w4g64")
    graph = lowered(config, weights)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_onnx(graph, weights, tmp_path / name / "tiny.onnx")
    for file in ("tiny.onnx", "tiny.onnx.data"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_graph_that_is_not_lowered_is_refused() -> None:
    config = CONFIGS["llama"]
    with pytest.raises(AssertionError, match="RmsNorm in layer 0 is not lowered"):
        export_onnx(float_graph(config), tiny_weights(config))


@pytest.mark.parametrize("chunk", [1, 3, 7, TOKENS])
def test_any_chunking_gives_the_same_bits(chunk: int) -> None:
    config = CONFIGS["qwen2"]
    weights = tiny_weights(config, "w4g32")
    graph = lowered(config, weights)
    tokens = some_tokens(config, TOKENS)
    expected = run_in_chunks(Interpreter(graph, weights), tokens, TOKENS)
    assert different_bits(run_in_chunks(OnnxProgram(graph, weights), tokens, chunk), expected) == 0
