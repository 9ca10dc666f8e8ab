"""The cases that every build of the kernels runs: odd shapes and extreme values."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
from kernel_cases import (
    Case,
    HeadTransform,
    crc_case,
    functions_case,
    heads_case,
    linear_case,
    normal,
    quantise_case,
    random_matrix,
    random_rows,
    rmsnorm_case,
    sample_case,
    silu_mul_case,
    sparse_matrix,
)

from aretusa.quantization.kept_columns import check_pattern

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

DEPTHS: Final = (1, 7, 28, 32, 33, 252, 576, 1536)
ROWS: Final = (1, 3, 8, 13, 84)
TOKENS: Final = (1, 2, 3, 7)
# bits, group, whether there are minimums
FORMS: Final = (
    (8, 0, False),
    (8, 32, False),
    (8, 64, False),
    (8, 32, True),
    (4, 0, False),
    (4, 32, False),
    (4, 32, True),
    (4, 64, True),
    (4, 128, False),
)
FLOAT_MAX: Final = float(np.finfo(np.float32).max)


def linear_cases() -> list[Case]:
    """Every form with rows, tokens and options that vary along the depths."""
    rng = np.random.default_rng(1)
    cases = []
    for index, (form, depth) in enumerate(product(FORMS, DEPTHS)):
        rows, tokens = ROWS[index % len(ROWS)], TOKENS[index % len(TOKENS)]
        cases.append(_linear(rng, form, (rows, depth), tokens, index))
    cases += [_linear(rng, form, (84, 252), tokens, 3) for form in FORMS for tokens in (1, 4, 5)]
    return [*cases, *extreme_linear_cases(), *zero_point_cases(), *kept_column_cases()]


def _linear(
    rng: np.random.Generator,
    form: tuple[int, int, bool],
    shape: tuple[int, int],
    tokens: int,
    options: int,
) -> Case:
    width, group, minimums = form
    matrix = random_matrix(rng, shape, width, group, minimums=minimums)
    codes, scales = random_rows(rng, tokens, shape[1])
    bias = normal(rng, shape[0]) if options & 1 else None
    residual = normal(rng, tokens, shape[0]) if options & 2 else None
    in_place = options % 3 == 0 and residual is not None
    return linear_case(matrix, codes, scales, bias=bias, residual=residual, in_place=in_place)


def zero_point_cases() -> list[Case]:
    """Groups with zero points of the whole range, and the largest sums that they leave."""
    rng = np.random.default_rng(3)
    cases = []
    for width, group, tokens in product((8, 4), (32, 64, 128), (1, 2, 5)):
        matrix = random_matrix(rng, (21, 300), width, group, minimums=True)
        low, high = (-128, 128) if width == 8 else (0, 16)
        zeros = rng.integers(low, high + 1, matrix.scales.shape).astype(np.int16)
        if tokens == 1:
            matrix.codes[:], zeros[:] = low, high
        matrix = replace(matrix, minimums=None, zeros=zeros)
        codes, scales = random_rows(rng, tokens, 300)
        codes[0] = 127
        cases.append(linear_case(matrix, codes, scales, bias=normal(rng, 21)))
    return cases


def kept_column_cases() -> list[Case]:
    """Every length of a run with zero columns left out, and rows that keep fewer than they may."""
    rng = np.random.default_rng(5)
    cases = []
    patterns = ((1, 2), (1, 4), (2, 4), (3, 4), (4, 8), (6, 8), (8, 16), (12, 16))
    for index, (width, pattern) in enumerate(product((8, 4), patterns)):
        rows, tokens = ROWS[index % len(ROWS)], TOKENS[index % len(TOKENS)]
        matrix = sparse_matrix(rng, (rows, 96), width, pattern)
        matrix.codes[-1] = matrix.zero
        matrix.codes[-1, pattern[1] - 1 :: pattern[1]] = 0 if width == 4 else -128
        codes, scales = random_rows(rng, tokens, 96)
        bias = normal(rng, rows) if index % 2 else None
        residual = normal(rng, tokens, rows) if index % 3 else None
        check_pattern(matrix, pattern, "a case")
        cases.append(
            linear_case(matrix, codes, scales, bias=bias, residual=residual, pattern=pattern)
        )
    return cases


def extreme_linear_cases() -> list[Case]:
    """The largest sums that the packed accumulators must hold, of both signs, and zero rows."""
    rng = np.random.default_rng(2)
    cases = []
    for width, group, minimums in FORMS:
        matrix = random_matrix(rng, (16, 160), width, group, minimums=minimums)
        low, high = (-128, 127) if width == 8 else (0, 15)
        matrix.codes[:8] = low
        matrix.codes[8:] = high
        codes = np.full((3, 160), 127, np.int8)
        codes[1] = -127
        codes[2] = 0
        scales = np.array([FLOAT_MAX / 1e12, 1e-38, 0], np.float32)
        cases.append(linear_case(matrix, codes, scales))
    return cases


def row_cases() -> list[Case]:
    """The row-quantising kernels at every depth, and on rows of extreme values."""
    rng = np.random.default_rng(4)
    cases = []
    for index, depth in enumerate(DEPTHS):
        tokens = TOKENS[index % len(TOKENS)]
        rows = normal(rng, tokens, depth, scale=3)
        cases.append(quantise_case(rows))
        cases.append(rmsnorm_case(rows, normal(rng, depth), 1e-5))
        cases.append(silu_mul_case(normal(rng, tokens, depth, scale=20), rows))
    rows = extreme_rows()
    weight = normal(rng, rows.shape[1])
    cases += [quantise_case(rows), rmsnorm_case(rows, weight, 1e-6)]
    cases += [silu_mul_case(rows[:-1] * np.float32(1e-3), rows[::-1][:-1] * np.float32(1e-3))]
    return cases


def extreme_rows() -> F32:
    """Zeros, subnormals, ties between two codes, a lone value, and large numbers."""
    ties = np.arange(64, dtype=np.float32) - np.float32(31.5)
    lone = np.zeros(64, np.float32)
    lone[63] = -2.5
    return np.stack(
        [
            np.zeros(64, np.float32),
            -np.zeros(64, np.float32),
            np.full(64, 1e-45, np.float32),
            np.linspace(-1.4e-36, 1.4e-36, 64, dtype=np.float32),
            ties * np.float32(4),
            np.append(ties[:-1], np.float32(127)),
            lone,
            np.linspace(-1e18, 1e18, 64, dtype=np.float32),
        ]
    )


def rope_tables(context: int, dim: int) -> tuple[F32, F32]:
    """Cosines and sines [context, dim / 2]."""
    angles = np.arange(context)[:, None] / 10000.0 ** (np.arange(dim // 2) / (dim // 2))
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def head_cases() -> list[Case]:
    """Heads with and without norm and rotation."""
    rng = np.random.default_rng(5)
    cases = []
    for tokens, heads, dim, position in (
        (1, 1, 2, 0),
        (3, 5, 64, 4),
        (2, 9, 48, 13),
        (7, 2, 256, 1),
    ):
        cosine, sine = rope_tables(20, dim)
        src = normal(rng, tokens, heads, dim, scale=4)
        weight = normal(rng, dim)
        src[0, 0] = 0
        transforms = (
            HeadTransform(),
            HeadTransform(cosine=cosine, sine=sine),
            HeadTransform(norm_weight=weight, norm_eps=1e-6, cosine=cosine, sine=sine),
        )
        cases += [heads_case(src, transform, position) for transform in transforms]
    return cases


def sample_cases() -> list[Case]:
    """Greedy with ties, hot and cold, narrow and wide."""
    rng = np.random.default_rng(7)
    ties = np.array([1, 5, 5, -3, 5], np.float32)
    cases = [sample_case(ties, 0.0, 1.0, 1, 1), sample_case(ties, 1.0, 0.5, 1, 20)]
    for count, temperature, top_p in product(
        (1, 100, 5000), (0.1, 0.8, 3.0), (1e-9, 0.3, 0.95, 1.0)
    ):
        logits = normal(rng, count, scale=4)
        cases.append(sample_case(logits, temperature, top_p, 2**63 + count, 5))
    cases.append(sample_case(ties, 1e-45, 0.9, 3, 2))
    cases.append(sample_case(np.zeros(70, np.float32), 1.0, 0.5, 2**64 - 1, 20))
    return cases


def function_cases() -> list[Case]:
    """Every finite binary16 number; exponentials and roots over the whole range of binary32."""
    rng = np.random.default_rng(8)
    patterns = rng.integers(0, 0x7F800000, 20000).astype(np.uint32)
    special = np.array([0.0, -0.0, 1e-45, 1.1754942e-38, 1.1754944e-38, 1, 4, FLOAT_MAX, np.inf])
    squares = np.arange(1, 3000, dtype=np.float32) ** 2
    values = np.concatenate(
        [
            patterns.view(np.float32),
            -patterns.view(np.float32),
            rng.uniform(-90, 90, 20000).astype(np.float32),
            special.astype(np.float32),
            squares,
            np.nextafter(squares, np.float32(0)),
            np.nextafter(squares, np.float32(np.inf)),
        ]
    )
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    return [functions_case(values, halves[np.isfinite(halves)])]


def crc_cases() -> list[Case]:
    """All alignments and short lengths, and one long block."""
    data = np.random.default_rng(9).integers(0, 256, 70000, dtype=np.uint8)
    short = [
        crc_case(data, start, count, start * 0x12345678 & 0xFFFFFFFF)
        for start, count in product(range(4), (1, 2, 3, 4, 5, 7, 8, 33))
    ]
    return [*short, crc_case(data, 1, 65536, 0)]


@cache
def catalogue() -> tuple[Case, ...]:
    """Every case."""
    return (
        *linear_cases(),
        *row_cases(),
        *head_cases(),
        *sample_cases(),
        *function_cases(),
        *crc_cases(),
    )
