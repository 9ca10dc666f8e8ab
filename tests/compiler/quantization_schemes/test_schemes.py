"""Rounding real weights: the error is at most half a step, and a checkpoint's own codes stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from aretusa.errors import UnsupportedError
from aretusa.frontend.weights import CodedWeight, FloatWeight
from aretusa.quantization.schemes import (
    CHANNEL,
    FLOAT16_MAX,
    SCHEMES,
    QuantisedMatrix,
    Scheme,
    best_scales,
    quantise_matrix,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

matrices = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 90)),
    elements=st.floats(-8, 8, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3),
)
schemes = st.sampled_from(tuple(SCHEMES.values()))


def quantise(values: NDArray[np.float32], scheme: Scheme) -> QuantisedMatrix:
    return quantise_matrix(FloatWeight(values), scheme, name="w")


def largest_code(scheme: Scheme) -> int:
    return (1 << (scheme.bits - 1)) - 1


def steps(matrix: QuantisedMatrix) -> NDArray[np.float64]:
    """The step of every weight."""
    length = matrix.depth if matrix.group == CHANNEL else matrix.group
    scales = matrix.scales.astype(np.float64).reshape(matrix.rows, matrix.groups)
    return np.repeat(scales, length, axis=1)[:, : matrix.depth]


def test_the_names_are_those_of_the_option() -> None:
    channel = [f"w{bits}" for bits in range(8, 1, -1)]
    groups = ["w4g32", "w4g64", "w4g128", "w8g32", "w8g64", "w8g128"]
    assert list(SCHEMES) == channel + groups
    assert all(str(scheme) == name for name, scheme in SCHEMES.items())


@given(matrices, schemes)
def test_the_error_is_at_most_half_a_step_of_what_is_not_clipped(
    values: NDArray[np.float32], scheme: Scheme
) -> None:
    matrix = quantise(values, scheme)
    step = steps(matrix)
    error = np.abs(matrix.dequantise().astype(np.float64) - values.astype(np.float64))
    reach = largest_code(scheme) * step
    # A group scale narrowed to binary16 is 2**-11 smaller at most, which clips by as much.
    slack = 0 if scheme.group == CHANNEL else 2.0**-10 * np.abs(values)
    clipped = np.maximum(np.abs(values) - reach, 0)
    assert np.all(error <= np.maximum(0.5 * step, clipped) + slack + 1e-6)


@given(matrices, schemes)
def test_clipping_never_costs_squared_error(values: NDArray[np.float32], scheme: Scheme) -> None:
    blocks = values.reshape(values.shape[0], 1, -1)
    code = np.float32(largest_code(scheme))
    plain = best_scales(blocks, code, searches=False)
    found = best_scales(blocks, code, searches=True)

    def error(scales: NDArray[np.float32]) -> NDArray[np.float64]:
        divisor = np.where(scales == 0, np.float32(1), scales)[:, :, None]
        codes = np.clip(np.rint(blocks / divisor), -code, code)
        return np.sum((codes * scales[:, :, None] - blocks.astype(np.float64)) ** 2, axis=2)

    assert np.all(error(found) <= error(plain) * (1 + 1e-5) + 1e-12)


@given(matrices, schemes)
def test_codes_use_the_symmetric_range(values: NDArray[np.float32], scheme: Scheme) -> None:
    matrix = quantise(values, scheme)
    signed = matrix.codes.astype(np.int32) - matrix.zero
    assert np.max(np.abs(signed)) <= largest_code(scheme)
    assert matrix.bits == scheme.bits
    assert matrix.minimums is None


@given(matrices, schemes)
def test_the_largest_of_a_group_has_the_largest_code(
    values: NDArray[np.float32], scheme: Scheme
) -> None:
    """Clipping may give more weights the largest code, never fewer."""
    matrix = quantise(values, scheme)
    signed = np.abs(matrix.codes.astype(np.int32) - matrix.zero)
    length = matrix.depth if scheme.group == CHANNEL else scheme.group
    for start in range(0, matrix.depth, length):
        part = np.abs(values[:, start : start + length])
        for row in range(matrix.rows):
            if part[row].max() > 0:
                largest = signed[row, start : start + length][part[row].argmax()]
                assert largest == largest_code(scheme)


@given(matrices, schemes)
def test_the_opposite_weights_have_the_opposite_codes(
    values: NDArray[np.float32], scheme: Scheme
) -> None:
    one, two = quantise(values, scheme), quantise(-values, scheme)
    assert np.array_equal(one.scales, two.scales)
    opposite = two.zero - two.codes.astype(np.int32)
    assert np.array_equal(one.codes.astype(np.int32) - one.zero, opposite)


@given(matrices, schemes)
def test_rows_are_quantised_by_themselves(values: NDArray[np.float32], scheme: Scheme) -> None:
    whole, first = quantise(values, scheme), quantise(values[:1], scheme)
    rows = np.array([0])
    assert np.array_equal(whole.select_rows(rows).dequantise(), first.dequantise())


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_zeros_stay_zeros(scheme: Scheme) -> None:
    zeros = np.zeros((3, 70), np.float32)
    assert np.array_equal(quantise(zeros, scheme).dequantise(), zeros)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_tiny_weights_keep_their_codes_in_range(scheme: Scheme) -> None:
    """A scale that binary16 rounds to a subnormal or to zero must not produce wild codes."""
    values = np.full((1, 64), 1e-9, np.float32)
    dequantised = quantise(values, scheme).dequantise()
    assert np.all(np.isfinite(dequantised))
    assert np.max(np.abs(dequantised)) <= 1e-6


def test_scales_beyond_binary16_are_refused() -> None:
    values = np.full((1, 64), 8 * FLOAT16_MAX, np.float32)
    with pytest.raises(UnsupportedError, match=r"E0111.*'w'.*65504.*--weights w8") as caught:
        quantise(values, SCHEMES["w4g32"])
    assert caught.value.exit_code == 4
    assert np.isfinite(quantise(values, SCHEMES["w8"]).scales).all()


@given(schemes)
def test_the_codes_of_a_checkpoint_stay_as_they_are(scheme: Scheme) -> None:
    random = np.random.default_rng(3)
    weight = CodedWeight(
        codes=random.integers(0, 16, (4, 64)).astype(np.uint8),
        scales=random.random((4, 2)).astype(np.float16),
        minimums=-random.random((4, 2)).astype(np.float16),
        bits=4,
        group=32,
        zero=0,
    )
    matrix = quantise_matrix(weight, scheme, name="w")
    assert matrix.codes is weight.codes
    assert matrix.scales is weight.scales
    assert matrix.minimums is weight.minimums
    assert np.array_equal(matrix.dequantise(), weight.dequantise())
