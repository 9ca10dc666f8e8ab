"""Register images: a published one, the arithmetic of tiles, and what is never built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.neureka.job import (
    JobShape,
    TokenGrid,
    factorise,
    gemv_3x3,
    job_registers,
    linear_1x1,
    unsigned_input_correction,
)
from aretusa.neureka.registers import Mode, Register, WeightSource


def test_equals_the_image_of_the_chips_own_power_test() -> None:
    """siracusa-soc/regression_tests power_tests/N_EUREKA/ki56_ko32_ho6_wo6/inc/ne16_cfg.h.

    Its d2 stride of the input (0xE00) is of a dimension that the engine does not run through.
    """
    shape = JobShape(
        mode=Mode.DENSE_3X3,
        bits=8,
        out_channels=32,
        in_channels=56,
        out_rows=6,
        out_cols=6,
        in_pixel_bytes=56,
        in_row_bytes=8 * 56,
        out_pixel_bytes=4 * 32,
        out_row_bytes=6 * 4 * 32,
        has_prefetch=True,
    )
    image = list(map(int, job_registers(shape, weights=0x20, inputs=0x100, outputs=0x2000)))
    assert image[:3] == [0x20, 0x100, 0x2000]
    assert image[6:8] == [0x38, 0x1C0]
    assert image[9:12] == [0x20, 0x80, 0x300]
    assert image[12:15] == [0x20, 0x200, 0]
    assert image[15:20] == [0x0020_001C, 0x0006_0006, 0x0008_0008, 0x0001_0002, 0x0001_0001]
    # Of its configuration 0x44D02E17 we share all but bit 30 (unknown), normalisation (4, 13:12,
    # 20:16), rounding (11) and the layer-wise weight offset (15), which it leaves off.
    theirs = 0x44D0_2E17 & ~(1 << 30 | 1 << 4 | 3 << 12 | 0x1F << 16 | 1 << 11)
    assert image[23] == theirs | 1 << 15


def test_golden_image_of_a_matrix_vector_product() -> None:
    shape = gemv_3x3(70, 300, 5)
    image = list(map(int, job_registers(shape, weights=64, inputs=16, outputs=1024)))
    expected = [64, 16, 1024, 0, 0, 0, 34, 102, 0, 32, 280, 280, 32, 320, 0]
    expected += [0x0006_0006, 0x0001_0001, 0x0003_0003, 0x0003_0002, 0x0001_0001, 0]
    assert image == [*expected, (1 << 32) - 16, 0, 0x04C0_8204]


@given(tokens=st.integers(1, 400))
def test_no_factorisation_has_fewer_tiles(tokens: int) -> None:
    rows, cols = factorise(tokens)
    assert rows * cols == tokens
    others = [(r, tokens // r) for r in range(1, tokens + 1) if tokens % r == 0]
    assert -(-rows // 6) * -(-cols // 6) == min(-(-r // 6) * -(-c // 6) for r, c in others)


def test_of_equal_factorisations_the_flattest_is_taken() -> None:
    found = [factorise(tokens) for tokens in (1, 4, 6, 12, 13, 36, 64)]
    assert found == [(1, 1), (1, 4), (1, 6), (2, 6), (1, 13), (6, 6), (4, 16)]


@given(
    rows=st.integers(1, 4), cols=st.integers(1, 4), depth=st.integers(1, 60), seed=st.integers(0, 9)
)
def test_windows_of_an_image_are_its_tokens(rows: int, cols: int, depth: int, seed: int) -> None:
    grid = TokenGrid(rows=rows, cols=cols)
    tokens = np.random.default_rng(seed).integers(-128, 128, (grid.tokens, depth)).astype(np.int8)
    channels = -(-depth // 9)
    image = grid.image(tokens, channels)
    for index, token in enumerate(tokens):
        i, j = divmod(index, cols)
        window = image[3 * i : 3 * i + 3, 3 * j : 3 * j + 3].reshape(-1)
        assert (window[:depth] == token).all()
        assert not window[depth:].any()
    if cols == 1:
        assert (image.reshape(rows, -1)[:, :depth] == tokens).all()


def test_the_correction_of_unsigned_inputs_is_128_times_the_row_sum() -> None:
    matrix = np.array([[-128, 127, 1], [5, 6, 7]], np.int8)
    assert unsigned_input_correction(matrix).tolist() == [0, 128 * 18]


def test_prefetch_with_weights_in_l1_cannot_be_said() -> None:
    options: dict[str, Any] = {"source": WeightSource.L1, "has_prefetch": True}
    with pytest.raises(AssertionError, match="hangs the engine"):
        gemv_3x3(1, 1, 4, **options)
    with pytest.raises(AssertionError, match="hangs the engine"):
        linear_1x1(1, 1, 4, 1, **options)


def test_a_job_with_too_many_tiles_is_refused() -> None:
    shape = linear_1x1(32 * 65536, 32, 8, 1)
    with pytest.raises(AssertionError, match="16 bits"):
        job_registers(shape, weights=0, inputs=0, outputs=0)


def test_rounding_stride_and_masks_are_never_set() -> None:
    for shape in (gemv_3x3(40, 300, 3), linear_1x1(40, 300, 3, 5)):
        image = job_registers(shape, weights=0, inputs=0, outputs=0)
        assert not int(image[Register.CONFIG]) & (1 << 3 | 1 << 7 | 1 << 8 | 1 << 11)
        assert image[Register.FILTER_MASK] == image[Register.PADDING] == 0
