"""The laws that docs/arithmetic.md proves, tried on the NumPy twin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.reference import arithmetic

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXP_ERROR: Final = 2.0**-23  # section 6
WORST_EXP: Final = -85.2000809  # of all binary32 arguments
SMALLEST_NORMAL: Final = float(np.finfo(np.float32).tiny)

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
terms = st.floats(min_value=0, max_value=2.0**100, width=32)


def row(values: list[float]) -> NDArray[np.float32]:
    """Terms of a sum; + 0.0 turns -0 into +0."""
    return np.array(values, np.float32) + np.float32(0)


def test_exp_is_within_its_bound() -> None:
    x = np.linspace(-87, 88, 2_000_003).astype(np.float32)
    x = np.append(x, np.float32(WORST_EXP))
    true = np.exp(x.astype(np.float64))
    error = np.abs(arithmetic.exp(x).astype(np.float64) - true) / true
    assert error.max() < EXP_ERROR
    assert error[-1] > 0.97 * EXP_ERROR


@pytest.mark.parametrize("x", [0.0, -0.0, 2.0**-30, -(2.0**-31)])
def test_exp_near_zero_is_one(x: float) -> None:
    assert arithmetic.exp(np.array([x], np.float32))[0] == 1


def test_exp_stays_normal_at_its_ends() -> None:
    low, high = arithmetic.exp(np.array([-np.inf, np.inf], np.float32))
    assert SMALLEST_NORMAL <= low < 2e-38
    assert 1e38 < high < np.inf


@given(st.lists(terms, min_size=1, max_size=70), st.integers(0, 200))
def test_padding_never_changes_a_tree_sum(values: list[float], zeros: int) -> None:
    padded = np.concatenate([row(values), np.zeros(zeros, np.float32)])
    assert arithmetic.tree_sum(padded).tobytes() == arithmetic.tree_sum(row(values)).tobytes()


@given(st.lists(terms, min_size=1, max_size=200))
def test_eight_lanes_are_the_same_tree(values: list[float]) -> None:
    whole = row(values)
    lane = [arithmetic.tree_sum(np.append(whole[start::8], np.float32(0))) for start in range(8)]
    even = (lane[0] + lane[4]) + (lane[2] + lane[6])
    odd = (lane[1] + lane[5]) + (lane[3] + lane[7])
    assert (even + odd).tobytes() == arithmetic.tree_sum(whole).tobytes()


@given(st.lists(finite, min_size=1, max_size=40), st.sampled_from([(8, 127), (4, 7)]))
def test_codes_stay_within_the_largest_which_is_there(
    values: list[float], width: tuple[int, int]
) -> None:
    x = np.array(values, np.float32)
    codes, scale = arithmetic.quantise(x, width[0])
    largest = np.abs(codes.astype(np.int32)).max()
    assert largest == (0 if scale == 0 else width[1])
    assert scale == 0 or scale >= SMALLEST_NORMAL


@pytest.mark.parametrize("value", [0.0, 1e-45, 126 * SMALLEST_NORMAL])
def test_a_row_too_small_for_a_normal_scale_is_zero(value: float) -> None:
    codes, scale = arithmetic.quantise(np.array([value, -value], np.float32))
    assert scale == 0
    assert not codes.any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 40))
def test_invisible_positions_never_change_attention(seed: int, seen: int, unseen: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 4, seen + unseen).astype(np.float32)
    codes = rng.integers(-127, 128, (seen + unseen, 12)).astype(np.int8)
    scales = rng.uniform(0, 0.1, seen + unseen).astype(np.float32)
    visible = np.arange(seen + unseen) < seen
    whole = arithmetic.attend(scores, visible, codes, scales)
    alone = arithmetic.attend(scores[:seen], visible[:seen], codes[:seen], scales[:seen])
    assert whole.tobytes() == alone.tobytes()


def test_a_zero_value_row_takes_no_bits_from_the_others() -> None:
    """Decision 0002: its scale is 0, so it does not enter the largest product."""
    scores = np.array([5, 0], np.float32)
    codes = np.array([[0, 0], [127, -64]], np.int8)
    scales = np.array([0, 0.01], np.float32)
    out = arithmetic.attend(scores, np.array([True, True]), codes, scales)
    weight = np.exp(-5.0) / (1 + np.exp(-5.0))
    np.testing.assert_allclose(out, weight * 0.01 * np.array([127, -64]), rtol=1e-3)
