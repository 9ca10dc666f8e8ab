"""Repetition, divergence and pillars: numbers in, numbers out."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aretusa_compress.sensitivity.divergence import divergence, pooled
from aretusa_compress.sensitivity.loops import longest_loop, repetition
from aretusa_compress.sensitivity.pillars import find_pillars, outlyingness, rank_correlation

A, B, C, D = range(4)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([A, B, C, D], 0),
        ([A, B, C, A, B, C], 6),
        ([A, B, C, A, B, C, A], 7),
        ([D, D, C, A, B, A, B, A, B, C], 6),
        ([A, A], 2),
        ([A, B, C, A, B], 0),  # said once and begun again
        ([], 0),
    ],
)
def test_the_longest_stretch_that_repeats_itself(tokens: list[int], expected: int) -> None:
    assert longest_loop(tokens) == expected


@given(st.lists(st.integers(0, 2), max_size=14))
def test_a_loop_is_what_its_definition_says(tokens: list[int]) -> None:
    def is_loop(part: list[int]) -> bool:
        return any(
            all(part[i] == part[i - period] for i in range(period, len(part)))
            for period in range(1, len(part) // 2 + 1)
        )

    parts = [tokens[a:b] for a in range(len(tokens)) for b in range(a + 1, len(tokens) + 1)]
    assert longest_loop(tokens) == max((len(part) for part in parts if is_loop(part)), default=0)


def test_runs_that_stood_there_before_are_counted() -> None:
    assert repetition([A, B, C, D, A, B, C], 3) == pytest.approx(1 / 5)
    assert repetition([A] * 10, 4) == pytest.approx(6 / 7)
    assert repetition([A, B], 4) == 0.0


def test_divergence_is_what_its_formulas_say() -> None:
    generator = torch.Generator().manual_seed(0)
    before, after = (torch.randn(100, 7, generator=generator) for _ in range(2))
    targets = torch.randint(0, 7, (100,), generator=generator)
    found = divergence(before, after, targets)
    p, q = before.double().softmax(-1), after.double().softmax(-1)
    assert found.kl == pytest.approx(float((p * (p / q).log()).sum(-1).mean()))
    assert found.nats == pytest.approx(float(-q[torch.arange(100), targets].log().mean()))
    assert found.mse == pytest.approx(float((before - after).square().mean()), rel=1e-6)
    products = (before * after).sum(-1) / (before.norm(dim=-1) * after.norm(dim=-1))
    assert found.cosine == pytest.approx(float(products.mean()), rel=1e-5)
    same = divergence(before, before, targets)
    assert (same.kl, same.mse) == (0.0, 0.0)
    assert same.cosine == pytest.approx(1.0)


def test_windows_count_by_their_tokens() -> None:
    generator = torch.Generator().manual_seed(1)
    before, after = (torch.randn(30, 5, generator=generator) for _ in range(2))
    targets = torch.randint(0, 5, (30,), generator=generator)
    parts = [divergence(before[s], after[s], targets[s]) for s in (slice(7), slice(7, 30))]
    whole, joined = divergence(before, after, targets), pooled(parts)
    assert joined.tokens == 30
    for name in ("cosine", "mse", "kl", "nats"):
        assert getattr(joined, name) == pytest.approx(getattr(whole, name), rel=1e-9)
    assert joined.perplexity == pytest.approx(math.exp(whole.nats))


def test_a_pillar_stands_out_from_the_rest() -> None:
    gains = {f"{index}.k_proj": 0.01 * (1 + index % 3) for index in range(20)} | {"4.k_proj": 1.0}
    assert find_pillars(gains, threshold=3.5, at_most=8) == ["4.k_proj"]
    assert find_pillars(gains, threshold=1e4, at_most=8) == []
    assert find_pillars(gains, threshold=3.5, at_most=0) == []


def test_a_loss_is_never_a_pillar() -> None:
    gains = {"a": -1.0, "b": -1.0, "c": -1.0, "d": -0.5}
    assert outlyingness(gains)["d"] == math.inf
    assert find_pillars(gains, threshold=3.5, at_most=8) == []


def test_ranks_correlate_whatever_the_values() -> None:
    assert rank_correlation([1.0, 2.0, 30.0], [0.1, 0.2, 0.21]) == pytest.approx(1.0)
    # of ranks 1 2 3 4 and 2 1 4 3: 1 - 6 * 4 / (4 * 15)
    assert rank_correlation([1.0, 2.0, 3.0, 4.0], [6.0, 5.0, 8.0, 7.0]) == pytest.approx(0.6)
    assert rank_correlation([1.0, 2.0], [1.0, 2.0]) is None
    assert rank_correlation([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) is None


def test_equal_gains_have_no_pillar() -> None:
    assert find_pillars(dict.fromkeys("abcd", 1.0), threshold=3.5, at_most=8) == []
