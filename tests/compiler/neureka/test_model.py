"""The model of the engine computes the layer that was packed, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_cases import LayerCase, gemv_cases, linear_cases
from hypothesis import given
from hypothesis import strategies as st

from aretusa.neureka.check import JobError
from aretusa.neureka.job import JobShape, gemv_3x3, job_registers
from aretusa.neureka.layout import pack_3x3, pack_depthwise
from aretusa.neureka.model import Memories, run_job
from aretusa.neureka.registers import Mode, Register

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check(case: LayerCase) -> None:
    memories = case.memories()
    before = memories.l1.copy()
    run_job(case.registers, memories)
    assert (case.results(memories.l1) == case.expected).all()
    written = slice(case.outputs_at, case.outputs_at + case.shape.output_bytes)
    memories.l1[written] = before[written]
    assert (memories.l1 == before).all(), "bytes outside the output were written"


@given(case=gemv_cases())
def test_a_packed_matrix_times_tokens_in_3x3_mode(case: LayerCase) -> None:
    check(case)


@given(case=linear_cases())
def test_a_packed_matrix_times_tokens_in_1x1_mode(case: LayerCase) -> None:
    check(case)


def convolve(image: NDArray[np.int8], kernel: NDArray[np.int8]) -> NDArray[np.int64]:
    """[rows, cols, channel] with [out, tap, channel], no padding."""
    rows, cols = image.shape[0] - 2, image.shape[1] - 2
    total = np.zeros((rows, cols, kernel.shape[0]), np.int64)
    for tap in range(9):
        r, s = divmod(tap, 3)
        window = image[r : r + rows, s : s + cols].astype(np.int64)
        total += window @ kernel[:, tap].astype(np.int64).T
    return total


@given(
    rows=st.integers(1, 14),
    cols=st.integers(1, 14),
    channels=st.integers(1, 60),
    out=st.integers(1, 40),
    bits=st.integers(2, 8),
)
def test_any_convolution(rows: int, cols: int, channels: int, out: int, bits: int) -> None:
    rng = np.random.default_rng(rows * cols)
    offset = 1 << (bits - 1)
    kernel = rng.integers(-offset, offset, (out, 9, channels)).astype(np.int8)
    image = rng.integers(-128, 128, (rows + 2, cols + 2, channels)).astype(np.int8)
    shape = JobShape(
        mode=Mode.DENSE_3X3,
        bits=bits,
        out_channels=out,
        in_channels=channels,
        out_rows=rows,
        out_cols=cols,
        in_pixel_bytes=channels,
        in_row_bytes=channels * (cols + 2),
        out_pixel_bytes=4 * out + 8,
        out_row_bytes=(4 * out + 8) * cols,
    )
    at = image.size + 3 & ~3
    l1 = np.zeros(at + (4 * out + 8) * rows * cols, np.uint8)
    l1[: image.size] = image.view(np.uint8).reshape(-1)
    registers = job_registers(shape, weights=0, inputs=0, outputs=at)
    run_job(registers, Memories(l1, pack_3x3(kernel, bits).reshape(-1)))
    found = l1[at:].view(np.int32).reshape(rows, cols, out + 2)[:, :, :out]
    assert (found == convolve(image, kernel)).all()


@given(rows=st.integers(1, 8), channels=st.integers(1, 60), bits=st.integers(2, 8))
def test_a_depthwise_convolution(rows: int, channels: int, bits: int) -> None:
    rng = np.random.default_rng(channels)
    offset = 1 << (bits - 1)
    kernel = rng.integers(-offset, offset, (9, channels)).astype(np.int8)
    image = rng.integers(-128, 128, (rows + 2, 3, channels)).astype(np.int8)
    dense = gemv_3x3(channels, 9 * channels, bits)
    registers = job_registers(dense, weights=0, inputs=0, outputs=1 << 14)
    last = (channels - 1) % 28 + 1
    tile_count = -(-channels // 28)
    last_row = (rows - 1) % 6 + 1
    registers[Register.CONFIG] |= Mode.DEPTHWISE_3X3 << 5
    registers[Register.CHANNEL_TILES] = tile_count << 16 | tile_count
    registers[Register.LAST_CHANNELS] = last << 16 | last
    registers[Register.PIXEL_TILES] = -(-rows // 6) << 16 | 1
    registers[Register.LAST_OUTPUT] = last_row << 16 | 1
    registers[Register.LAST_INPUT] = (last_row + 2) << 16 | 3
    registers[Register.WEIGHT_CHANNEL_STRIDE] = 0
    l1 = np.zeros((1 << 14) + 4 * channels * rows, np.uint8)
    l1[: image.size] = image.view(np.uint8).reshape(-1)
    run_job(registers, Memories(l1, pack_depthwise(kernel, bits).reshape(-1)))
    found = l1[1 << 14 :].view(np.int32).reshape(rows, channels)
    windows = [image[tap // 3 : tap // 3 + rows, tap % 3].astype(int) for tap in range(9)]
    expected = sum(window * kernel[tap] for tap, window in enumerate(windows))
    assert (found == expected).all()


@pytest.mark.parametrize("is_relu", [True, False])
@pytest.mark.parametrize("scale_width", [0, 2])
def test_normalised_8_bit_results(*, is_relu: bool, scale_width: int) -> None:
    """clip((sum * scale + bias) >> shift), the shift rounding down."""
    rng = np.random.default_rng(1)
    matrix = rng.integers(-8, 8, (40, 100)).astype(np.int8)
    vector = rng.integers(-128, 128, 100).astype(np.int8)
    scale_bytes = 4 if scale_width else 1
    scale = rng.integers(1, 256, 40).astype(np.int64)
    bias = rng.integers(-100000, 100000, 40).astype(np.int32)
    l1 = np.zeros(2048, np.uint8)
    taps = np.zeros((40, 9, 12), np.int8)
    taps.reshape(40, -1)[:, :100] = matrix
    l1[:100] = vector.view(np.uint8)
    l1[512 : 512 + 40 * scale_bytes] = scale.astype(f"<u{scale_bytes}").view(np.uint8)
    l1[1024:1184] = bias.view(np.uint8)
    registers = job_registers(gemv_3x3(40, 100, 4), weights=0, inputs=0, outputs=1536)
    registers[Register.SCALE], registers[Register.BIAS] = 512, 1024
    config = int(registers[Register.CONFIG]) & ~(3 << 21 | 1 << 23)
    config |= 1 << 4 | scale_width << 12 | 9 << 16 | (not is_relu) << 23 | 1 << 25
    registers[Register.CONFIG] = config
    run_job(registers, Memories(l1, pack_3x3(taps, 4).reshape(-1)))
    exact = matrix.astype(np.int64) @ vector.astype(np.int64)
    bounds = (0, 255) if is_relu else (-128, 127)
    expected = np.clip((exact * scale + bias) >> 9, *bounds).astype(np.uint8)
    assert (l1[1536:1576] == expected).all()
    assert not l1[1576:].any()


def test_planes_beyond_the_weights_bits_do_not_count_in_1x1_mode() -> None:
    registers = job_registers(gemv_3x3(1, 9, 4), weights=0, inputs=0, outputs=64)
    registers[Register.CONFIG] |= Mode.DENSE_1X1 << 5
    registers[Register.LAST_INPUT] = 1 << 16 | 1
    l1 = np.ones(96, np.uint8)
    run_job(registers, Memories(l1, np.full(32, 0xFF, np.uint8)))
    assert l1[64:68].view(np.int32)[0] == 1 * (15 - 8)


def test_what_is_left_out_is_refused() -> None:
    registers = job_registers(gemv_3x3(1, 9, 4), weights=0, inputs=0, outputs=64)
    memories = Memories(np.zeros(96, np.uint8), np.zeros(128, np.uint8))
    for register, value in ((Register.PADDING, 1 << 28), (Register.FILTER_MASK, 1)):
        changed = registers.copy()
        changed[register] = value
        with pytest.raises(JobError):
            run_job(changed, memories)
    for bit in (3, 7, 8, 11, 14, 24):
        changed = registers.copy()
        changed[Register.CONFIG] |= 1 << bit
        with pytest.raises(JobError, match=str(bit)):
            run_job(changed, memories)
