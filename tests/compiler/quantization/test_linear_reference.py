"""The NumPy linear layer follows the contract's order of operations exactly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aretusa.quantization.schemes import QuantisedMatrix
from aretusa.reference.linear import linear

F32 = NDArray[np.float32]


def by_definition(matrix: QuantisedMatrix, codes: NDArray[np.int8], scales: F32) -> F32:
    """One result at a time, integers in int64, floats in scalars."""
    out = np.empty((codes.shape[0], matrix.rows), np.float32)
    for token in range(codes.shape[0]):
        for row in range(matrix.rows):
            weights = matrix.codes[row].astype(np.int64) - matrix.zero
            x = codes[token].astype(np.int64)
            if matrix.group == 0:
                total = np.float32(int(weights @ x)) * scales[token] * matrix.scales[row]
            else:
                total = _terms(matrix, row, weights, x) * scales[token]
            out[token, row] = total
    return out


def _terms(
    matrix: QuantisedMatrix, row: int, weights: NDArray[np.int64], x: NDArray[np.int64]
) -> np.float32:
    total = None
    for group in range(matrix.groups):
        part = slice(group * matrix.group, (group + 1) * matrix.group)
        term = np.float32(int(weights[part] @ x[part])) * np.float32(matrix.scales[row, group])
        if matrix.minimums is not None:
            code_sum = np.float32(int(x[part].sum()))
            term = term + code_sum * np.float32(matrix.minimums[row, group])
        total = term if total is None else total + term
    assert total is not None
    return np.float32(total)


@pytest.mark.parametrize("depth", [1, 40, 1100])
@pytest.mark.parametrize(
    ("bits", "group", "minimums"),
    [(8, 0, False), (8, 32, False), (4, 0, False), (4, 32, True), (4, 128, False)],
)
def test_equals_the_definition(bits: int, group: int, minimums: bool, depth: int) -> None:
    rng = np.random.default_rng(depth)
    rows, tokens = 5, 3
    shape = (rows, -(-depth // group)) if group else (rows,)
    low, high = (-128, 128) if bits == 8 else (0, 16)
    codes = rng.integers(low, high, (rows, depth))
    scales = rng.standard_normal(shape)
    matrix = QuantisedMatrix(
        codes=codes.astype(np.int8) if bits == 8 else codes.astype(np.uint8),
        scales=scales.astype(np.float16) if group else scales.astype(np.float32),
        minimums=rng.standard_normal(shape).astype(np.float16) if minimums else None,
        bits=bits,
        group=group,
        zero=8 if bits == 4 and not minimums else 0,
    )
    x = rng.integers(-127, 128, (tokens, depth)).astype(np.int8)
    x_scales = rng.uniform(0, 1, tokens).astype(np.float32)
    bias = rng.standard_normal(rows).astype(np.float32)
    residual = rng.standard_normal((tokens, rows)).astype(np.float32)
    plain = by_definition(matrix, x, x_scales)
    np.testing.assert_array_equal(linear(matrix, x, x_scales).view("u4"), plain.view("u4"))
    full = residual + (plain + bias)
    found = linear(matrix, x, x_scales, bias, residual)
    np.testing.assert_array_equal(found.view("u4"), full.view("u4"))


@pytest.mark.parametrize("tokens", [1, 63, 64, 65, 200])
def test_tokens_do_not_depend_on_each_other(tokens: int) -> None:
    rng = np.random.default_rng(tokens)
    matrix = QuantisedMatrix(
        codes=rng.integers(0, 16, (300, 96)).astype(np.uint8),
        scales=rng.standard_normal((300, 3)).astype(np.float16),
        minimums=rng.standard_normal((300, 3)).astype(np.float16),
        bits=4,
        group=32,
        zero=0,
    )
    codes = rng.integers(-127, 128, (tokens, 96)).astype(np.int8)
    scales = rng.uniform(0, 1, tokens).astype(np.float32)
    together = linear(matrix, codes, scales)
    for token in (0, tokens - 1):
        alone = linear(matrix, codes[token : token + 1], scales[token : token + 1])
        np.testing.assert_array_equal(alone[0].view("u4"), together[token].view("u4"))
