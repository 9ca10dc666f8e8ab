"""Rounding with error feedback: against the update written out by hand, and its laws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from aretusa_compress.solvers.gptq import (
    GptqOptions,
    NotPositiveDefiniteError,
    output_error,
    quantise,
)
from aretusa_compress.solvers.grid import (
    fitted_scales,
    largest_code,
    round_to_grid,
    smallest_code,
    weighted_scales,
)
from aretusa_compress.solvers.moments import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]


def a_layer(rows: int, depth: int, *, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """A random weight and the second moments of correlated inputs of very different power."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(depth, depth, generator=generator, dtype=torch.float64)
    power = torch.rand(depth, generator=generator, dtype=torch.float64) ** 3
    inputs = torch.randn(8 * depth, depth, generator=generator, dtype=torch.float64) @ mixing
    inputs = inputs * power
    weight = torch.randn(rows, depth, generator=generator, dtype=torch.float64) * 0.05
    return weight, inputs.T @ inputs / len(inputs)


def rounded_by_hand(weight: F64, moment: F64, scales: F64, bits: int, damping: float) -> F64:
    """Optimal brain surgery, one column after the other, the inverse computed anew each time."""
    depth = weight.shape[1]
    damped = moment + np.eye(depth) * damping * np.mean(np.diag(moment))
    order = np.argsort(-np.diag(moment), kind="stable")
    left = weight.copy()
    codes = np.zeros_like(weight)
    for step, column in enumerate(order):
        remaining = order[step:]
        inverse = np.linalg.inv(damped[np.ix_(remaining, remaining)])
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        codes[:, column] = np.clip(np.rint(left[:, column] / scales), low, high)
        error = left[:, column] - codes[:, column] * scales
        left[:, remaining] -= np.outer(error / inverse[0, 0], inverse[0])
    return codes


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("block", [5, 128])
def test_the_codes_are_those_of_the_update_written_out(bits: int, block: int) -> None:
    weight, moment = a_layer(7, 23)
    scales = weighted_scales(weight, moment.diagonal(), bits)
    expected = rounded_by_hand(weight.numpy(), moment.numpy(), scales.numpy(), bits, 0.01)

    options = GptqOptions(bits=bits, block=block, scale_rounds=0)
    codes = quantise(weight, moment, options)

    # Rows for which plain rounding is better keep it; with these inputs that is none.
    refitted = fitted_scales(weight, torch.from_numpy(expected), moment)
    assert np.array_equal(codes.codes.numpy(), expected)
    assert torch.allclose(codes.scales, refitted.to(torch.float32))


@pytest.mark.parametrize("bits", range(2, 9))
def test_codes_use_the_width_and_no_row_is_worse_than_plain_rounding(bits: int) -> None:
    weight, moment = a_layer(33, 50, seed=bits)
    codes = quantise(weight, moment, GptqOptions(bits=bits))
    scales = weighted_scales(weight, moment.diagonal(), bits)
    plain = round_to_grid(weight, scales, bits) * scales[:, None]

    assert codes.codes.dtype == torch.int8
    assert smallest_code(bits) <= int(codes.codes.min())
    assert int(codes.codes.max()) <= largest_code(bits)
    error = output_error(weight, codes.dequantise().to(torch.float64), moment)
    assert torch.all(error <= output_error(weight, plain, moment) * (1 + 1e-5))
    assert error.sum() < 0.7 * output_error(weight, plain, moment).sum()


def test_pruned_weights_stay_zero_and_the_others_make_up_for_them() -> None:
    weight, moment = a_layer(16, 40)
    kept = torch.arange(40).repeat(16, 1) % 4 < 2
    codes = quantise(weight * kept, moment, GptqOptions(bits=4), kept=kept)

    assert torch.all(codes.codes[~kept] == 0)
    assert torch.count_nonzero(codes.codes[kept]) > 0.8 * int(kept.sum())


def test_rows_of_zeros_and_inputs_that_never_fire_are_harmless() -> None:
    weight, moment = a_layer(5, 12)
    weight[2] = 0
    moment[3, :] = 0
    moment[:, 3] = 0
    codes = quantise(weight, moment, GptqOptions(bits=4))

    assert torch.all(codes.dequantise()[2] == 0)
    assert torch.isfinite(codes.scales).all()


def test_no_input_at_all_still_gives_the_nearest_codes() -> None:
    weight, _ = a_layer(3, 8)
    codes = quantise(weight, torch.zeros(8, 8), GptqOptions(bits=8))
    assert torch.allclose(codes.dequantise().to(torch.float64), weight, atol=1e-3)


def test_moments_that_are_not_numbers_are_refused() -> None:
    weight, moment = a_layer(3, 8)
    moment[0, 0] = float("nan")
    with pytest.raises(NotPositiveDefiniteError):
        quantise(weight, moment, GptqOptions())


def test_moments_do_not_depend_on_how_rows_were_cut_into_batches() -> None:
    inputs = torch.randn(60, 9, generator=torch.Generator().manual_seed(3))
    whole, parts = Moments(depth=9), Moments(depth=9)
    whole.add(inputs)
    for part in inputs.reshape(4, 3, 5, 9):
        parts.add(part)

    assert whole.rows == parts.rows == 60
    assert torch.allclose(whole.mean, parts.mean, rtol=1e-5, atol=1e-7)
    assert torch.allclose(whole.norms, inputs.to(torch.float64).norm(dim=0), rtol=1e-5)
