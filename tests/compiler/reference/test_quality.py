"""Perplexity, divergence and noise against their definitions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from numeric_models import CONFIGS, float_graph, lowered, some_tokens, tiny_weights

from aretusa.reference import quality
from aretusa.reference.interpreter import Interpreter
from aretusa.reference.quality import QualityReport, measure_noise, measure_quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

# Logarithms and exponentials of a few numbers in binary64.
ROUNDING = 1e-12


@dataclass
class TableMachine:
    """The logits after a token are that token's row, wherever it stands."""

    table: NDArray[np.float32]

    def forward(
        self, tokens: Sequence[int], _position: int, rows: Sequence[int]
    ) -> NDArray[np.float32]:
        return self.table[np.asarray(tokens)[list(rows)]]


def _machine(table: NDArray[np.float32]) -> Interpreter:
    return cast("Interpreter", TableMachine(table))


def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(0)
    table = (4 * random.standard_normal((11, 11))).astype(np.float32)
    return table, table + random.standard_normal((11, 11)).astype(np.float32)


def _probabilities(logits: NDArray[np.float32]) -> F64:
    odds = np.exp(logits.astype(np.float64))
    return odds / odds.sum(axis=-1, keepdims=True)


def test_the_report_is_what_the_definitions_say() -> None:
    table, other = _tables()
    windows = [[3, 1, 4, 1, 5], [9, 2, 6]]
    report = measure_quality(_machine(table), _machine(other), windows)
    pairs = [(a, b) for window in windows for a, b in pairwise(window)]
    given = [a for a, _ in pairs]
    p, q = _probabilities(table[given]), _probabilities(other[given])
    following = (np.arange(len(pairs)), [b for _, b in pairs])
    assert report.tokens == len(pairs)
    assert report.perplexity_float == pytest.approx(np.exp(-np.log(p[following]).mean()))
    assert report.perplexity_integer == pytest.approx(np.exp(-np.log(q[following]).mean()))
    assert report.kl_nats == pytest.approx((p * np.log(p / q)).sum(axis=-1).mean())
    assert report.top1_agreement == np.mean(p.argmax(axis=-1) == q.argmax(axis=-1))
    assert 0 < report.top1_agreement < 1


def test_perplexity_change_is_relative() -> None:
    report = QualityReport(
        tokens=1, perplexity_float=8, perplexity_integer=10, kl_nats=0, top1_agreement=1
    )
    assert report.perplexity_change == 0.25


def test_a_program_agrees_with_itself() -> None:
    table, _ = _tables()
    report = measure_quality(_machine(table), _machine(table), [[1, 2, 3]])
    assert report.perplexity_change == 0
    assert report.kl_nats == 0
    assert report.top1_agreement == 1


def test_chunks_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    window = some_tokens(config, 20)

    def report() -> QualityReport:
        program = Interpreter(lowered(config, weights), weights)
        return measure_quality(program, program, [window])

    at_once = report()
    monkeypatch.setattr(quality, "CHUNK_TOKENS", 7)
    monkeypatch.setattr(quality, "BLOCK_TOKENS", 3)
    cut = report()
    assert cut.tokens == at_once.tokens == 19
    assert cut.perplexity_integer == pytest.approx(at_once.perplexity_integer, rel=ROUNDING)


def test_a_quantised_program_is_close_to_the_float_model() -> None:
    config = CONFIGS["llama"]
    weights = tiny_weights(config)
    program = Interpreter(lowered(config, weights), weights)
    report = measure_quality(
        Interpreter(float_graph(config), weights), program, [some_tokens(config, 20)] * 2
    )
    assert report.tokens == 38
    assert 0 < report.kl_nats < 1e-3
    assert abs(report.perplexity_change) < 0.01


def test_a_single_token_predicts_nothing() -> None:
    table, _ = _tables()
    with pytest.raises(AssertionError, match="two tokens"):
        measure_quality(_machine(table), _machine(table), [[1]])


def test_noise_names_every_value_in_order() -> None:
    config = CONFIGS["qwen3"]
    weights = tiny_weights(config)
    reference = Interpreter(float_graph(config), weights)
    program = Interpreter(lowered(config, weights), weights)
    report = measure_noise(reference, program, some_tokens(config, 8))
    names = [value.name for value in report.values]
    assert names == [op.out.name for op in program.graph.ops if hasattr(op, "out")]
    assert all(20 < value.snr_db < 70 for value in report.values)
    assert list(report.hidden_states) == [0, 1]
    by_name = {value.name: value.snr_db for value in report.values}
    assert report.hidden_states[1] == by_name["l1.down_proj.sum"]
    assert reference.observe is None
    assert program.observe is None


def test_fewer_bits_are_noisier() -> None:
    config = CONFIGS["llama"]
    levels: list[dict[int, float]] = []
    for form in ("w8", "w4g32"):
        weights = tiny_weights(config, form)
        reports: Any = measure_noise(
            Interpreter(float_graph(config), weights),
            Interpreter(lowered(config, weights), weights),
            some_tokens(config, 8),
        )
        levels.append(reports.hidden_states)
    assert all(levels[0][layer] > levels[1][layer] + 10 for layer in (0, 1))


def test_equal_values_have_infinite_ratio() -> None:
    ones = np.ones(3, np.float32)
    assert quality._snr_db(ones, ones) == inf
    assert quality._snr_db(0 * ones, ones) == -inf
    assert quality._snr_db(10 * ones, 11 * ones) == pytest.approx(20)
