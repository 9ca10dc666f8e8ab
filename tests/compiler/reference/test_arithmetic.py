"""The contract's functions against binary64, and the laws that the other executions rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numeric_models import different_bits

from aretusa.reference import arithmetic
from aretusa.reference.arithmetic import PROBABILITY_MAX, SCALE_MIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

# The project's promise for exp: the relative error is below one unit in the last place of 1.
EXP_ERROR = 2.0**-23
# Quotients of exp's result: a few roundings of half a unit in the last place each.
SILU_ERROR = 4 * EXP_ERROR

FLOATS = st.floats(-1e6, 1e6, width=32)
ROWS = hnp.arrays(np.float32, st.integers(1, 40), elements=FLOATS)


def _f32(*values: float) -> F32:
    return np.array(values, np.float32)


def test_exp_is_within_its_promised_error() -> None:
    x = np.linspace(-87, 88, 2_000_001, dtype=np.float64).astype(np.float32)
    true = np.exp(x.astype(np.float64))
    error = np.abs(arithmetic.exp(x) - true) / true
    assert float(error.max()) < EXP_ERROR


def test_exp_is_exact_at_zero_and_clamped_outside() -> None:
    found = arithmetic.exp(_f32(0, -0.0, -np.inf, -1000, np.inf, 1000))
    assert found[:2].tolist() == [1, 1]
    assert found[2] == found[3] == arithmetic.exp(arithmetic.EXP_MIN)
    assert found[4] == found[5] == arithmetic.exp(arithmetic.EXP_MAX)
    assert np.isfinite(found).all()
    assert (found > 0).all()


def _halved(values: list[np.float32]) -> np.float32:
    """The sum as the contract describes it, number by number."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    pairs = zip(values[:half], values[half:], strict=True)
    return _halved([lower + upper for lower, upper in pairs])


@given(ROWS)
def test_tree_sum_adds_the_upper_half_to_the_lower_half(row: F32) -> None:
    width = 1 << (len(row) - 1).bit_length()
    padded = [*row, *[np.float32(0)] * (width - len(row))]
    assert arithmetic.tree_sum(row) == _halved(padded)


@given(ROWS, st.integers(0, 100))
def test_zeros_behind_a_row_change_no_sum(row: F32, zeros: int) -> None:
    longer = np.concatenate([row, np.zeros(zeros, np.float32)])
    assert arithmetic.tree_sum(longer) == arithmetic.tree_sum(row)


def test_tree_sum_of_a_batch_is_that_of_its_rows() -> None:
    batch = np.random.default_rng(0).standard_normal((3, 4, 37)).astype(np.float32)
    rows = [arithmetic.tree_sum(row) for row in batch.reshape(12, 37)]
    assert arithmetic.tree_sum(batch).reshape(12).tolist() == [float(row) for row in rows]


@given(ROWS)
def test_codes_are_within_half_a_step_of_the_row(row: F32) -> None:
    codes, scale = arithmetic.quantise(row)
    assert np.abs(codes.astype(np.int64)).max() <= 127
    step = float(np.abs(row).max()) / 127
    # Half a step, and what rounding the scale and the quotient to binary32 adds to it.
    bound = step * 0.5001 + float(SCALE_MIN)
    assert np.abs(codes * float(scale) - row).max() <= bound


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(_f32(0, 0), id="zeros"),
        pytest.param(_f32(0, -0.0), id="negative zero"),
        pytest.param(_f32(1e-45, -1e-40), id="denormals"),
        pytest.param(_f32(SCALE_MIN * 100, 0), id="largest whose scale is not normal"),
    ],
)
def test_a_row_without_a_normal_scale_has_zero_codes(row: F32) -> None:
    codes, scale = arithmetic.quantise(row)
    assert codes.tolist() == [0, 0]
    assert scale == 0
    assert not np.signbit(scale)


def test_the_smallest_normal_scale_still_counts() -> None:
    codes, scale = arithmetic.quantise(_f32(SCALE_MIN * 127, -SCALE_MIN * 127, 0))
    assert codes.tolist() == [127, -127, 0]
    assert scale == SCALE_MIN


def test_halves_are_rounded_to_even() -> None:
    codes, scale = arithmetic.quantise(_f32(127, 0.5, 1.5, 2.5, -0.5, -2.5))
    assert scale == 1
    assert codes.tolist() == [127, 0, 2, 2, 0, -2]


def test_the_largest_finite_numbers_are_quantised() -> None:
    largest = float(np.finfo(np.float32).max)
    codes, scale = arithmetic.quantise(_f32(largest, -largest))
    assert codes.tolist() == [127, -127]
    assert np.isfinite(scale)


def test_rms_norm_agrees_with_binary64() -> None:
    random = np.random.default_rng(0)
    x, weight = random.standard_normal((2, 5, 72)).astype(np.float32)
    mean = np.mean(x.astype(np.float64) ** 2, axis=-1, keepdims=True)
    true = x / np.sqrt(mean + 1e-5) * weight
    found = arithmetic.rms_norm(x, weight, np.float32(1e-5))
    # Seven levels of the tree and six operations after it, half a unit in the last place each.
    assert np.abs(found / true - 1).max() < 7 * 2.0**-23


def test_rms_norm_of_zeros_is_zero() -> None:
    zeros = np.zeros((2, 8), np.float32)
    assert not arithmetic.rms_norm(zeros, np.ones(8, np.float32), np.float32(1e-6)).any()


def test_rope_turns_pairs_by_their_angle() -> None:
    angle = np.float64(0.7)
    cosine, sine = _f32(np.cos(angle)), _f32(np.sin(angle))
    assert arithmetic.rope(_f32(1, 0), cosine, sine).tolist() == [cosine[0], sine[0]]
    assert arithmetic.rope(_f32(0, 1), cosine, sine).tolist() == [-sine[0], cosine[0]]


def test_silu_mul_agrees_with_binary64() -> None:
    gate = np.linspace(-80, 80, 100_001).astype(np.float32)
    up = np.float32(1.5)
    true = gate.astype(np.float64) / (1 + np.exp(-gate.astype(np.float64))) * up
    found = arithmetic.silu_mul(gate, np.full_like(gate, up))
    assert (np.abs(found - true) <= SILU_ERROR * np.abs(true)).all()


def _attention(positions: int, seed: int) -> tuple[F32, NDArray[np.int8], F32]:
    random = np.random.default_rng(seed)
    scores = (3 * random.standard_normal((4, positions))).astype(np.float32)
    codes = random.integers(-127, 128, (positions, 8)).astype(np.int8)
    scales = random.uniform(0.01, 0.02, positions).astype(np.float32)
    return scores, codes, scales


def test_attend_agrees_with_binary64_to_twelve_bits() -> None:
    scores, codes, scales = _attention(20, 0)
    found = arithmetic.attend(scores, np.ones(scores.shape, np.bool_), codes, scales)
    weights = np.exp(scores.astype(np.float64))
    weights /= weights.sum(axis=-1, keepdims=True)
    values = codes * scales[:, None].astype(np.float64)
    # Each probability times value scale is off by half a step of its largest / 4095.
    step = (weights * scales).max(axis=-1, keepdims=True) / float(PROBABILITY_MAX)
    bound = 0.51 * step * np.abs(codes.astype(np.float64)).sum(axis=0)
    assert (np.abs(found - weights @ values) <= bound).all()


@given(st.integers(1, 20), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_positions_that_are_not_visible_change_no_bit(seen: int, more: int, seed: int) -> None:
    scores, codes, scales = _attention(seen + more, seed)
    visible = np.broadcast_to(np.arange(seen + more) < seen, scores.shape)
    alone = arithmetic.attend(scores[:, :seen], visible[:, :seen], codes[:seen], scales[:seen])
    assert different_bits(arithmetic.attend(scores, visible, codes, scales), alone) == 0


def test_attention_over_values_of_zero_is_zero() -> None:
    scores, codes, scales = _attention(5, 0)
    visible = np.ones(scores.shape, np.bool_)
    assert not arithmetic.attend(scores, visible, codes, np.zeros_like(scales)).any()
