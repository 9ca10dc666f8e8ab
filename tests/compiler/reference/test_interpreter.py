"""The interpreter: float graphs against binary64, integer graphs against their own laws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from llama_float64 import LlamaFloat64
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

from aretusa.reference import interpreter as interpreter_module
from aretusa.reference.interpreter import Interpreter, QuantisedRows

if TYPE_CHECKING:
    from aretusa.ir.ops import Op

TOKENS = 20
# Two layers of sums of about a hundred binary32 products, logits of size one.
FLOAT_TOLERANCE = 1e-5
# Activations of eight bits through two layers, weights of eight bits: about a percent of a logit.
W8_TOLERANCE = 0.05


@pytest.mark.parametrize("model", CONFIGS)
def test_the_float_graph_agrees_with_binary64(model: str) -> None:
    config = CONFIGS[model]
    weights = tiny_weights(config)
    tokens = some_tokens(config, TOKENS)
    expected = LlamaFloat64(config, weights.tensors).logits(tokens)
    found = run_in_chunks(Interpreter(float_graph(config), weights), tokens, 7)
    assert np.abs(found - expected).max() < FLOAT_TOLERANCE


@pytest.mark.parametrize("model", CONFIGS)
def test_eight_bits_stay_close_to_the_float_graph(model: str) -> None:
    config = CONFIGS[model]
    weights = tiny_weights(config)
    tokens = some_tokens(config, TOKENS)
    expected = run_in_chunks(Interpreter(float_graph(config), weights), tokens, TOKENS)
    found = run_in_chunks(Interpreter(lowered(config, weights), weights), tokens, TOKENS)
    assert np.abs(found - expected).max() < W8_TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model", CONFIGS)
def test_decoding_is_prefill_in_any_chunks(model: str, form: str) -> None:
    config = CONFIGS[model]
    weights = tiny_weights(config, form)
    graph = lowered(config, weights)
    tokens = some_tokens(config, TOKENS)
    at_once = run_in_chunks(Interpreter(graph, weights), tokens, TOKENS)
    for chunk in (1, 3, 7):
        assert (
            different_bits(run_in_chunks(Interpreter(graph, weights), tokens, chunk), at_once) == 0
        )


def test_a_longer_context_changes_no_bit() -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    graph = lowered(config, weights)
    tokens = some_tokens(config, TOKENS)
    alone = Interpreter(graph, weights).forward(tokens[:5], 0, range(5))
    every = Interpreter(graph, weights).forward(tokens, 0, range(5))
    assert different_bits(alone, every) == 0


def test_attention_may_be_cut_into_any_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    graph = lowered(config, weights)
    tokens = some_tokens(config, TOKENS)
    at_once = run_in_chunks(Interpreter(graph, weights), tokens, TOKENS)
    monkeypatch.setattr(interpreter_module, "BLAS_ALONE_MACS", 3 * TOKENS * config.head_dim)
    cut = run_in_chunks(Interpreter(graph, weights), tokens, TOKENS)
    assert different_bits(cut, at_once) == 0


def test_rows_choose_the_logits() -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    graph = lowered(config, weights)
    tokens = some_tokens(config, 5)
    every = Interpreter(graph, weights).forward(tokens, 0, range(5))
    chosen = Interpreter(graph, weights).forward(tokens, 0, [3, 1])
    assert different_bits(chosen, every[[3, 1]]) == 0


def test_a_step_past_the_context_is_refused() -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    machine = Interpreter(lowered(config, weights), weights)
    with pytest.raises(AssertionError, match="past the end of the KV cache"):
        machine.forward([0] * (CONTEXT + 1), 0, [0])


def test_the_observer_sees_every_result_once() -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    graph = lowered(config, weights)
    seen: list[tuple[str, bool]] = []

    def observe(op: Op, value: object) -> None:
        seen.append((op.out.name, isinstance(value, QuantisedRows)))

    Interpreter(graph, weights, observe).forward([1, 2], 0, [1])
    expected = [
        (op.out.name, op.out.type.dtype.value == "q8") for op in graph.ops if hasattr(op, "out")
    ]
    assert seen == expected


def test_rows_of_zeros_give_the_same_bits_in_any_chunks() -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    weights.matrices["model.embed_tokens.weight"].codes[:] = 0
    graph = lowered(config, weights)
    logits = run_in_chunks(Interpreter(graph, weights), [0, 1, 2], 1)
    assert not logits.any()
    assert not np.signbit(logits).any()
