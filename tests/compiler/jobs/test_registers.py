"""The words for N-EUREKA and MCHAN."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aretusa.jobs.registers import copy_commands, job_image
from aretusa.neureka.check import Windows, check_job
from aretusa.neureka.registers import Mode, Register
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target
from aretusa.trace.event import Access, Extent, JobStart, Queue, TransferStart


def access(memory: MemoryId, offset_bytes: int, size_bytes: int, stride_bytes: int = 0) -> Access:
    return Access("r", memory, offset_bytes, size_bytes, "c", stride_bytes=stride_bytes)


def job(mode: Mode, weights: Access) -> JobStart:
    """Two tokens of 64 codes, 40 rows."""
    return JobStart(
        number=1,
        mode=mode,
        bits=4,
        in_channels=64 if mode is Mode.DENSE_1X1 else 8,
        out_channels=40,
        out_rows=1,
        out_cols=2 if mode is Mode.DENSE_1X1 else 4,
        weights=weights,
        inputs=access(MemoryId.L1, 128, 128),
        outputs=access(MemoryId.L1, 4096, 320),
    )


def windows() -> Windows:
    sizes = [load_target().memory(memory).size_bytes for memory in MemoryId]
    return Windows(
        l1_bytes=sizes[MemoryId.L1],
        mram_bytes=sizes[MemoryId.MRAM],
        sram_bytes=sizes[MemoryId.SRAM],
    )


@pytest.mark.parametrize("mode", [Mode.DENSE_3X3, Mode.DENSE_1X1])
@pytest.mark.parametrize("memory", [MemoryId.MRAM, MemoryId.SRAM])
def test_a_job_reads_and_writes_where_the_event_says(mode: Mode, memory: MemoryId) -> None:
    target = load_target()
    image = job_image(target, job(mode, access(memory, 640, 5120)), from_zero=False)
    touched = check_job(image, windows())
    half = target.memory(memory).base_address - target.memory(MemoryId.MRAM).base_address
    assert touched.weights.start == half + 640
    assert (touched.inputs.start, touched.outputs.start) == (128, 4096)


def test_codes_from_zero_have_no_offset() -> None:
    event = job(Mode.DENSE_3X3, access(MemoryId.MRAM, 0, 5120))
    offsets = [
        int(job_image(load_target(), event, from_zero=from_zero)[Register.WEIGHT_OFFSET])
        for from_zero in (False, True)
    ]
    assert offsets == [(1 << 32) - 8, 0]


def test_pixels_of_a_group_are_a_whole_row_of_codes_apart() -> None:
    event = job(Mode.DENSE_1X1, access(MemoryId.MRAM, 0, 5120))
    event = replace(event, inputs=access(MemoryId.L1, 128, 64, stride_bytes=256))
    image = job_image(load_target(), event, from_zero=False)
    assert image[Register.INPUT_PIXEL_STRIDE] == 256


def transfer(source: Extent, target: Extent) -> TransferStart:
    return TransferStart(Queue.DMA, 1, source, target)


def test_a_copy_is_one_command_of_three_words() -> None:
    target = load_target()
    l1 = Extent("a", MemoryId.L1, 16, 252)
    l2 = Extent("b", MemoryId.L2, 64, 252)
    inside = target.memory(MemoryId.L1).base_address + 16
    outside = target.memory(MemoryId.L2).base_address + 64
    assert list(copy_commands(target, transfer(l2, l1))) == [(0x16_00FC, inside, outside)]
    assert list(copy_commands(target, transfer(l1, l2))) == [(0x14_00FC, inside, outside)]


def test_a_copy_of_runs_is_one_command_of_five_words() -> None:
    target = load_target()
    l1 = Extent("a", MemoryId.L1, 16, 16 * 260)
    rows = Extent("b", MemoryId.L2, 64, 260, count=16, stride_bytes=512)
    inside = target.memory(MemoryId.L1).base_address + 16
    outside = target.memory(MemoryId.L2).base_address + 64
    into, out = ([*copy_commands(target, transfer(*ends))] for ends in ((rows, l1), (l1, rows)))
    assert into == [(0x1E_1040, inside, outside, 260, 512)]
    assert out == [(0x1C_1040, inside, outside, 260, 512)]


@pytest.mark.parametrize("size_bytes", [131_071, 131_072, 262_111, 262_112, 400_001])
def test_a_long_copy_is_cut_into_commands_that_follow_each_other(size_bytes: int) -> None:
    target = load_target()
    l1 = Extent("a", MemoryId.L1, 0, size_bytes)
    l2 = Extent("b", MemoryId.L2, 0, size_bytes)
    commands = list(copy_commands(target, transfer(l2, l1)))
    sizes = [word & 0x1FFFF for word, *_ in commands]
    assert sum(sizes) == size_bytes
    assert max(sizes) <= target.dma.transfer_bytes_max
    assert [size % 32 for size in sizes[:-1]] == [0] * (len(sizes) - 1)
    base = target.memory(MemoryId.L2).base_address
    assert [outside - base for _, _, outside in commands] == [
        sum(sizes[:index]) for index in range(len(sizes))
    ]


def test_a_copy_of_nothing_is_no_command() -> None:
    nothing = Extent("a", MemoryId.L1, 0, 0)
    assert list(copy_commands(load_target(), transfer(nothing, nothing))) == []
