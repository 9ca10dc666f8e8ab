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


@given(st.lists(st.floats(-(2.0**120), 2.0**120, width=32), min_size=1, max_size=40))
def test_codes_from_zero_fit_four_bits(values: list[float]) -> None:
    x = np.array(values, np.float32)
    codes, scale = arithmetic.quantise_from_zero(x)
    wide = codes.astype(np.int32)
    assert max(wide.max(), 0) - min(wide.min(), 0) <= 15
    assert scale.view(np.uint32) & 15 == 0  # where the zero point lies
    # Half a step, and what rounding the scale and the quotient adds to it.
    bound = float(scale) * 0.5001 if scale > 0 else 15 * SMALLEST_NORMAL
    assert np.abs(wide * float(scale) - x).max() <= bound


def test_zero_is_a_code_of_every_row() -> None:
    codes, scale = arithmetic.quantise_from_zero(np.array([3.0, 17.0, 14.0, 0.0], np.float32))
    assert codes.tolist() == [2, 14, 12, 0]
    assert 17 / 14 * (1 - 2**-20) <= float(scale) <= 17 / 14 * (1 + 2**-20)


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
