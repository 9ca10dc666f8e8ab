"""OnnxProgram keeps the caches of one sequence; its integer products are tested first."""

from __future__ import annotations

import numpy as np
import pytest
from numeric_models import CONFIGS, CONTEXT, different_bits, lowered, some_tokens, tiny_weights

from aretusa.reference import onnx_runtime
from aretusa.reference.onnx_nodes import IntegerMatmul
from aretusa.reference.onnx_runtime import OnnxProgram, check_integer_matmul


@pytest.fixture
def program() -> OnnxProgram:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    return OnnxProgram(lowered(config, weights), weights)


def test_reset_forgets_the_sequence(program: OnnxProgram) -> None:
    tokens = some_tokens(CONFIGS["llama"], 6)
    first = program.forward(tokens, 0, [5])
    assert program.cache("l0.keys").scales.any()
    program.reset()
    assert not program.cache("l0.keys").scales.any()
    assert different_bits(program.forward(tokens, 0, [5]), first) == 0


def test_a_step_may_go_back_to_an_earlier_position(program: OnnxProgram) -> None:
    tokens = some_tokens(CONFIGS["llama"], 8)
    program.forward(tokens, 0, [7])
    again = program.forward(tokens[3:5], 3, [0, 1])
    program.reset()
    assert different_bits(again, program.forward(tokens[:5], 0, [3, 4])) == 0


def test_rows_choose_the_logits(program: OnnxProgram) -> None:
    tokens = some_tokens(CONFIGS["llama"], 4)
    every = program.forward(tokens, 0, range(4))
    program.reset()
    assert different_bits(program.forward(tokens, 0, [2, 0]), every[[2, 0]]) == 0


def test_a_step_past_the_context_is_refused(program: OnnxProgram) -> None:
    with pytest.raises(AssertionError, match="past the end of the KV cache"):
        program.forward([0, 0], CONTEXT - 1, [0])


def test_the_whole_context_can_be_used(program: OnnxProgram) -> None:
    tokens = some_tokens(CONFIGS["llama"], CONTEXT)
    assert np.isfinite(program.forward(tokens, 0, [CONTEXT - 1])).all()


def test_the_program_says_how_it_multiplies(program: OnnxProgram) -> None:
    assert program.integer_matmul is check_integer_matmul()


def test_the_self_test_accepts_exact_products() -> None:
    for form in (IntegerMatmul.INT32, check_integer_matmul()):
        assert all(onnx_runtime._is_exact(form, *shapes) for shapes in onnx_runtime._TRIALS)


def test_the_self_test_notices_saturation(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = onnx_runtime._products

    def saturated(*arguments: object) -> list[object]:
        return [np.clip(product, -(2**15), 2**15 - 1) for product in exact(*arguments)]

    monkeypatch.setattr(onnx_runtime, "_products", saturated)
    assert check_integer_matmul.__wrapped__() is IntegerMatmul.INT32
