"""The sampling twin follows its definition, and draws as often as it should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.reference.sampling import Sampler, _threshold, token_weights, top_p_code


def test_greedy_takes_the_lowest_index_of_the_largest() -> None:
    sampler = Sampler(0.0, 1.0, 5)
    assert sampler.sample(np.array([0, 3, 3, 1], np.float32)) == 1
    assert sampler.state == 5


def test_a_temperature_without_an_inverse_is_greedy() -> None:
    logits = np.array([0, 3, 2], np.float32)
    for temperature in (1e-45, -1.0, float("nan")):
        assert Sampler(temperature, 1.0, 1).sample(logits) == 1


@pytest.mark.parametrize(
    ("top_p", "code"),
    [(1.0, 65536), (2.0, 65536), (0.5, 32768), (1e-30, 1), (0.0, 1), (0.500001, 32769)],
)
def test_top_p_is_rounded_up(top_p: float, code: int) -> None:
    assert top_p_code(top_p) == code


@given(
    weights=st.lists(st.integers(0, 2**24), max_size=40),
    code=st.integers(1, 65536),
)
def test_threshold_is_the_largest_with_enough_mass(weights: list[int], code: int) -> None:
    weights.append(2**24)  # the largest logit always has this weight
    total = sum(weights)

    def mass(threshold: int) -> int:
        return sum(weight for weight in weights if weight >= threshold)

    low, high = 1, 2**24
    while low < high:
        middle = (low + high + 1) // 2
        if mass(middle) * 65536 >= code * total:
            low = middle
        else:
            high = middle - 1
    assert _threshold(np.array(weights, np.uint64), code) == (low, mass(low))


def test_draws_follow_the_weights() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05])).astype(np.float32)
    sampler = Sampler(1.0, 0.9, 12345)
    counts = np.bincount([sampler.sample(logits) for _ in range(4000)], minlength=4)
    assert counts[3] == 0  # 0.95 of the mass is enough without it
    np.testing.assert_allclose(counts[:3] / 4000, np.array([0.5, 0.3, 0.15]) / 0.95, atol=0.03)


def test_negligible_weights_are_zero_by_truncation_too() -> None:
    x = np.linspace(-20, -16, 4001, dtype=np.float32)
    weights = token_weights(x, np.float32(0), np.float32(1))
    assert weights[x < -16.75].max() == 0
    assert weights[-1] > 0


def test_the_generator_is_splitmix64() -> None:
    sampler = Sampler(1.0, 1.0, 1234567)
    drawn = [sampler._draw() for _ in range(3)]
    full = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert drawn == [value >> 32 for value in full]
