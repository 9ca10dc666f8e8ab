"""Products of two thin matrices: nearest by values, nearest by outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aretusa_compress.solvers.gptq import GptqOptions, output_error, quantise
from aretusa_compress.solvers.low_rank import (
    decompose,
    decompose_for_inputs,
    decompose_for_loss,
    truncate,
    truncate_for_inputs,
)


def a_layer(rows: int, depth: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    mixing = torch.randn(depth, depth, generator=generator, dtype=torch.float64)
    power = torch.rand(depth, generator=generator, dtype=torch.float64) ** 3
    inputs = torch.randn(8 * depth, depth, generator=generator, dtype=torch.float64) @ mixing
    inputs = inputs * power
    weight = torch.randn(rows, depth, generator=generator, dtype=torch.float64)
    return weight, inputs.T @ inputs / len(inputs)


def test_the_plain_product_is_the_truncated_singular_value_decomposition() -> None:
    weight, _ = a_layer(20, 31)
    left, values, right = np.linalg.svd(weight.numpy(), full_matrices=False)
    expected = (left[:, :5] * values[:5]) @ right[:5]

    factors = truncate(weight, 5)
    assert factors.inner.shape == (5, 31)
    assert factors.outer.shape == (20, 5)
    assert np.allclose(factors.expand().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 4, 19])
def test_the_product_for_inputs_has_the_least_error_of_outputs(rank: int) -> None:
    weight, moment = a_layer(20, 31)
    # The best outputs of any product of this rank: what the truncation of W H^(1/2) leaves out.
    powers, axes = np.linalg.eigh(moment.numpy())
    root = axes * np.sqrt(np.maximum(powers, 0)) @ axes.T
    left_out = np.linalg.svd(weight.numpy() @ root, compute_uv=False)[rank:]

    product = truncate_for_inputs(weight, moment, rank).expand().to(torch.float64)
    plain = truncate(weight, rank).expand().to(torch.float64)
    error = float(output_error(weight, product, moment).sum())
    assert error == pytest.approx(float(np.sum(left_out**2)), rel=1e-4)
    assert error < float(output_error(weight, plain, moment).sum())


@pytest.mark.parametrize("shape", [(20, 31), (31, 20)])
@pytest.mark.parametrize("rank", [1, 4, 19])
def test_the_product_for_the_loss_changes_it_least(shape: tuple[int, int], rank: int) -> None:
    weight, moment = a_layer(*shape)
    gradients = a_layer(5, shape[0])[1]

    def change(product: torch.Tensor) -> float:
        off = weight - product.to(torch.float64)
        return float((off.T @ gradients @ off @ moment).trace())

    def root(matrix: torch.Tensor) -> np.ndarray:
        powers, axes = np.linalg.eigh(matrix.numpy())
        found: np.ndarray = axes * np.sqrt(np.maximum(powers, 0)) @ axes.T
        return found

    whole = decompose_for_loss(weight, moment, gradients)
    product = whole.truncated(rank).expand()
    left_out = np.linalg.svd(root(gradients) @ weight.numpy() @ root(moment), compute_uv=False)[
        rank:
    ]
    noise = 1e-6 * change(torch.zeros_like(product))  # of factors in binary32
    assert change(product) == pytest.approx(float(np.sum(left_out**2)), rel=1e-4, abs=noise)
    assert np.allclose(
        whole.values[rank:].numpy(), left_out, rtol=1e-4, atol=1e-7 * float(whole.values[0])
    )
    assert change(product) < change(truncate_for_inputs(weight, moment, rank).expand())


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
def test_full_rank_loses_nothing(shape: tuple[int, int]) -> None:
    weight, moment = a_layer(*shape)
    whole = decompose_for_loss(weight, moment, a_layer(5, shape[0])[1]).factors
    for factors in (truncate(weight, 6), truncate_for_inputs(weight, moment, 6), whole):
        assert torch.allclose(factors.expand().to(torch.float64), weight, atol=1e-4)


def test_inputs_without_power_do_not_blow_up_the_factors() -> None:
    weight, moment = a_layer(8, 10)
    moment[4, :] = 0
    moment[:, 4] = 0
    factors = truncate_for_inputs(weight, moment, 3)
    assert torch.isfinite(factors.inner).all()
    assert float(factors.expand().abs().max()) < 1e4


@pytest.mark.parametrize("shape", [(8, 10), (10, 8)])
def test_powers_below_zero_are_noise(shape: tuple[int, int]) -> None:
    weight, moment = a_layer(*shape)
    powers, axes = torch.linalg.eigh(moment)
    powers[0] = -1e-7 * powers[-1]  # as sums in binary32 leave them
    bent = axes * powers @ axes.T
    factors = truncate_for_inputs(weight, bent, 8)
    assert torch.allclose(factors.expand().to(torch.float64), weight, atol=1e-3)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_a_branch_takes_back_part_of_what_rounding_lost(bits: int) -> None:
    weight, moment = a_layer(24, 40)
    rounded = quantise(weight, moment, GptqOptions(bits=bits)).dequantise().to(torch.float64)
    branch = truncate_for_inputs(weight - rounded, moment, 6).expand().to(torch.float64)
    before = float(output_error(weight, rounded, moment).sum())
    assert float(output_error(weight, rounded + branch, moment).sum()) < 0.8 * before


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (24, 24)])
def test_singular_values_are_those_of_the_library(shape: tuple[int, int]) -> None:
    weight, moment = a_layer(*shape)
    root = np.linalg.cholesky(moment.numpy())
    for found, seen in (
        (decompose(weight), weight.numpy()),
        (decompose_for_inputs(weight, moment), weight.numpy() @ root),
    ):
        expected = np.linalg.svd(seen, compute_uv=False)
        assert np.allclose(found.values.numpy(), expected, rtol=1e-5, atol=5e-5 * expected[0])


def test_a_matrix_of_less_than_full_rank_stays_finite() -> None:
    weight, moment = a_layer(9, 6)
    thin = weight[:, :2] @ weight[:2, :]
    for matrix in (thin, thin.T @ thin, torch.zeros_like(thin)):
        for found in (decompose(matrix), decompose_for_inputs(matrix, moment)):
            product = found.truncated(min(matrix.shape)).expand().to(torch.float64)
            assert torch.allclose(product, matrix, atol=1e-4 * max(1.0, float(matrix.abs().max())))
