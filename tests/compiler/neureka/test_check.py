"""The checker knows every byte that a job touches, and refuses what the chip must not be given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine_cases import CHIP, LayerCase, layer_cases
from hypothesis import given
from hypothesis import strategies as st

from aretusa.neureka.check import JobAccess, JobError, Windows, check_job
from aretusa.neureka.job import gemv_3x3, job_registers, linear_1x1
from aretusa.neureka.registers import Mode, Register, WeightSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ADDRESSES = (Register.WEIGHTS, Register.INPUT, Register.OUTPUT)
# Images that differ in these bits of CONFIG only are both right: signedness and, with the weight
# memory as source, prefetch.
MEANING_ONLY = 1 << 26 | 1 << 10


def image_of(shape_rows: int = 40, depth: int = 300) -> NDArray[np.uint32]:
    shape = gemv_3x3(shape_rows, depth, 4)
    return job_registers(shape, weights=64, inputs=128, outputs=4096)


def access_or_none(registers: NDArray[np.uint32]) -> JobAccess | None:
    try:
        return check_job(registers, CHIP)
    except JobError:
        return None


@given(case=layer_cases())
def test_the_bytes_are_those_of_the_layer(case: LayerCase) -> None:
    access = check_job(case.registers, CHIP)
    shape = case.shape
    assert access.source is shape.source
    assert access.weights == range(case.weights_at, case.weights_at + case.words.size)
    assert access.weights.stop - access.weights.start == shape.weights_bytes
    assert access.outputs == range(case.outputs_at, case.outputs_at + shape.output_bytes)
    assert access.inputs.start == case.inputs_at
    behind = access.inputs.stop - (case.inputs_at + shape.input_bytes)
    last_tile = (shape.in_channels - 1) % 28 + 1
    is_wide = shape.mode is Mode.DENSE_3X3 and shape.in_channels > 28 and last_tile < 4
    assert behind == (4 - last_tile if is_wide else 0)


def test_bytes_that_are_read_for_nothing_may_be_outputs_but_lie_in_l1() -> None:
    """Of 29 channels, the first tile of 28 reads 32."""
    shape = gemv_3x3(1, 9 * 29, 4)
    end = shape.input_bytes
    access = check_job(job_registers(shape, weights=0, inputs=3, outputs=3 + end), CHIP)
    assert access.inputs.stop == 3 + end + 3
    at = CHIP.l1_bytes - end
    check_job(job_registers(shape, weights=0, inputs=at - 3, outputs=0), CHIP)
    with pytest.raises(JobError, match="inputs end"):
        check_job(job_registers(shape, weights=0, inputs=at, outputs=0), CHIP)


@given(case=layer_cases(), register=st.sampled_from(Register), bit=st.integers(0, 31))
def test_no_flipped_bit_goes_unnoticed(case: LayerCase, register: Register, bit: int) -> None:
    """Every one-bit fault is refused or is another legal job on visibly other bytes."""
    registers = case.registers.copy()
    registers[register] ^= 1 << bit
    if register is Register.CONFIG and 1 << bit & MEANING_ONLY:
        return
    if register in ADDRESSES and bit >= 18 and not is_weight_offset(case, register):
        return  # the engine ignores these bits
    if not is_used(case, register):
        return
    assert access_or_none(registers) != check_job(case.registers, CHIP)


def is_weight_offset(case: LayerCase, register: Register) -> bool:
    return register is Register.WEIGHTS and case.shape.source is WeightSource.WEIGHT_MEMORY


def is_used(case: LayerCase, register: Register) -> bool:
    """A stride of a dimension of one is never multiplied."""
    shape = case.shape
    border = 2 if shape.mode is Mode.DENSE_3X3 else 0
    return not (
        (register is Register.OUTPUT_PIXEL_STRIDE and shape.out_cols == 1)
        or (register is Register.OUTPUT_ROW_STRIDE and shape.out_rows == 1)
        or (register is Register.INPUT_PIXEL_STRIDE and shape.out_cols + border == 1)
        or (register is Register.INPUT_ROW_STRIDE and shape.out_rows + border == 1)
    )


def test_hundreds_of_corrupted_images_are_caught() -> None:
    """All one-bit faults of two images but those in addresses and those of meaning only."""
    images = [
        image_of(),
        job_registers(linear_1x1(40, 90, 6, 12), weights=0, inputs=0, outputs=8192),
    ]
    refused = 0
    for image in images:
        legal = check_job(image, CHIP)
        for register in set(Register) - set(ADDRESSES):
            for bit in range(32):
                registers = image.copy()
                registers[register] ^= 1 << bit
                access = access_or_none(registers)
                refused += access is None
                if access == legal:
                    strides = {Register.OUTPUT_PIXEL_STRIDE, Register.OUTPUT_ROW_STRIDE}
                    is_meaning = register is Register.CONFIG and 1 << bit & MEANING_ONLY
                    assert is_meaning or register in strides, (register, bit)
    assert refused > 1100


@pytest.mark.parametrize(
    ("register", "value", "why"),
    [
        (Register.CONFIG, 0x04C0_8203 | 1 << 8, "configuration"),
        (Register.CONFIG, 0x04C0_8203 | 1 << 11, "configuration"),
        (Register.CONFIG, 0x04C0_8203 | 1 << 5, "not a dense"),
        (Register.CONFIG, 0x04C0_8003 | 1 << 10, "prefetch with weights in L1"),
        (Register.CONFIG, 0x04C0_8200, "one-bit"),
        (Register.FILTER_MASK, 1, "FILTER_MASK"),
        (Register.PADDING, 1 << 28, "PADDING"),
        (Register.INPUT_ROW_STRIDE, 1 << 31, "negative"),
        (Register.WEIGHT_OFFSET, 1, "weight offset"),
        (Register.WEIGHT_CHANNEL_STRIDE, 32, "do not follow"),
        (Register.WEIGHTS, 48, "aligned to 32"),
        (Register.WEIGHTS, CHIP.mram_bytes - 32, "both halves"),
        (Register.WEIGHTS, CHIP.mram_bytes + CHIP.sram_bytes - 32, "behind the weight memory"),
        (Register.INPUT, CHIP.l1_bytes - 32, "inputs end"),
        (Register.OUTPUT, CHIP.l1_bytes - 32, "outputs end"),
        (Register.OUTPUT, 130, "aligned to 4"),
        (Register.OUTPUT, 132, "outputs lie on inputs"),
        (Register.CHANNEL_TILES, 0, "no tiles"),
        (Register.LAST_CHANNELS, 33 << 16 | 6, "33 of 32"),
        (Register.LAST_OUTPUT, 0, "do not match"),
    ],
)
def test_says_what_is_wrong(register: Register, value: int, why: str) -> None:
    registers = image_of()
    registers[register] = value
    with pytest.raises(JobError, match=why):
        check_job(registers, CHIP)


def test_weights_in_l1_may_not_be_overwritten() -> None:
    shape = gemv_3x3(40, 300, 4, source=WeightSource.L1)
    registers = job_registers(shape, weights=4096, inputs=0, outputs=4096 + shape.weights_bytes - 4)
    with pytest.raises(JobError, match="outputs lie on weights"):
        check_job(registers, CHIP)


def test_a_smaller_chip_refuses_more() -> None:
    registers = image_of()
    end = check_job(registers, CHIP).outputs.stop
    small = Windows(l1_bytes=end, mram_bytes=CHIP.mram_bytes, sram_bytes=0)
    check_job(registers, small)
    smaller = Windows(l1_bytes=end - 1, mram_bytes=CHIP.mram_bytes, sram_bytes=0)
    with pytest.raises(JobError, match="outputs end"):
        check_job(registers, smaller)
