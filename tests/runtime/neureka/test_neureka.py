"""The C model computes what the NumPy model computes; the C builder makes the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from count_engine_instructions import MEASURED, measured_jobs
from engine_cases import LayerCase, layer_case, layer_cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neureka_programs import CJob

from aretusa.neureka.job import TokenGrid, gemv_3x3, job_registers, linear_1x1
from aretusa.neureka.model import Memories, run_job
from aretusa.neureka.registers import Mode, Register, WeightSource
from aretusa.quantization.crc import crc32c

if TYPE_CHECKING:
    from pathlib import Path

    from neureka_programs import BareMetal, HostLibrary, SanitizedProgram
    from numpy.typing import NDArray

CORES = 8
shared_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def reference(case: LayerCase) -> NDArray[np.uint8]:
    """L1 after the NumPy model ran the job."""
    memories = case.memories()
    run_job(case.registers, memories)
    return memories.l1


def some_cases() -> list[LayerCase]:
    """Both modes, both weight sources, one and more tiles, full and partial ones."""
    cases = []
    for index, (rows, depth, bits) in enumerate(
        ((1, 1, 2), (32, 252, 4), (45, 300, 5), (70, 9, 8))
    ):
        for grid in (TokenGrid(), TokenGrid(rows=2, cols=2), TokenGrid(rows=3)):
            source = WeightSource(index % 2)
            shape = gemv_3x3(rows, depth, bits, grid, source=source, is_signed=index != 1)
            cases.append(layer_case(shape, depth, grid, index))
        shape = linear_1x1(rows, depth, bits, 1 + 10 * index, source=WeightSource(index % 2))
        cases.append(layer_case(shape, depth, None, index))
    return cases


@given(case=layer_cases(), addresses=st.tuples(*[st.integers(0, (1 << 32) - 1)] * 3))
@shared_fixtures
def test_c_builds_the_same_images(
    library: HostLibrary, case: LayerCase, addresses: tuple[int, int, int]
) -> None:
    weights, inputs, outputs = addresses
    expected = job_registers(case.shape, weights=weights, inputs=inputs, outputs=outputs)
    assert library.registers(case.shape, addresses).tolist() == expected.tolist()


@given(case=layer_cases(), cores=st.integers(1, CORES))
@shared_fixtures
def test_c_leaves_the_same_bytes_in_l1(library: HostLibrary, case: LayerCase, cores: int) -> None:
    memories = case.memories()
    channels = case.shape.out_channels
    for core in range(cores):
        share = range(channels * core // cores, channels * (core + 1) // cores)
        assert library.run(case.registers, memories, share)
    assert (memories.l1 == reference(case)).all()


@given(case=layer_cases())
@shared_fixtures
def test_with_the_step_of_tokens_c_computes_exactly_what_is_read(
    library: HostLibrary, case: LayerCase
) -> None:
    if case.grid is None:
        return
    memories = case.memories()
    before = memories.l1.copy()
    assert library.run(case.registers, memories, range(case.shape.out_channels), step=3)
    assert (case.results(memories.l1) == case.expected).all()
    changed = np.count_nonzero(memories.l1 != before)
    assert changed <= 4 * case.grid.tokens * case.shape.out_channels


def test_weights_may_lie_in_either_half_but_not_in_both(library: HostLibrary) -> None:
    shape = gemv_3x3(40, 100, 3)
    case = layer_case(shape, 100, TokenGrid(), 0)
    end = case.weights_at + case.words.size
    for cut, is_right in ((0, True), (case.weights_at, True), (end - 32, False), (end, True)):
        memories = case.memories()
        done = library.run(case.registers, memories, range(40), mram_bytes=cut)
        assert done == is_right
        if is_right:
            assert (case.results(memories.l1) == case.expected).all()


@pytest.mark.parametrize("mode", [Mode.DENSE_3X3, Mode.DENSE_1X1])
def test_c_refuses_jobs_that_leave_their_memories(library: HostLibrary, mode: Mode) -> None:
    shape = gemv_3x3(40, 100, 3) if mode is Mode.DENSE_3X3 else linear_1x1(40, 100, 3, 7)
    grid = TokenGrid() if mode is Mode.DENSE_3X3 else None
    case = layer_case(shape, 100, grid, 0)
    whole = case.memories()
    before = whole.l1.copy()
    outputs_end = case.outputs_at + shape.output_bytes
    smaller = [
        Memories(whole.l1[: outputs_end - 1], whole.weight_memory),
        Memories(whole.l1, whole.weight_memory[:-1]),
    ]
    for memories in smaller:
        assert not library.run(case.registers, memories, range(40))
    assert not library.run(case.registers, whole, range(41))
    for register in (Register.PADDING, Register.FILTER_MASK, Register.WEIGHT_OFFSET):
        registers = case.registers.copy()
        registers[register] ^= 1
        assert not library.run(registers, whole, range(40))
    assert (whole.l1 == before).all()


@pytest.mark.slow
def test_no_byte_outside_its_memories_is_touched(
    sanitized: SanitizedProgram, tmp_path: Path
) -> None:
    jobs = [CJob(case, step=step) for case in some_cases() for step in (1, 3)]
    after = sanitized.run(jobs, tmp_path)
    for job, l1 in zip(jobs, after, strict=True):
        if job.step == 1:
            assert (l1 == reference(job.case)).all()


@pytest.mark.qemu
def test_rv32_computes_the_same_and_stays_within_its_instructions(bare_metal: BareMetal) -> None:
    jobs = [CJob(case, cores=1 + index % CORES) for index, case in enumerate(some_cases())]
    measured = measured_jobs()
    results = bare_metal.run([*jobs, *measured])
    for job, (crc, _) in zip(jobs, results, strict=False):
        assert crc == crc32c(reference(job.case).tobytes()), job.case.shape
    for name, job, (_, instructions) in zip(MEASURED, measured, results[len(jobs) :], strict=True):
        macs = job.case.tokens.size * job.case.shape.out_channels
        assert instructions / macs < MEASURED[name], name
