"""The words that core 0 gives N-EUREKA and MCHAN for the jobs and transfers of a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.neureka.job import JobShape, job_registers
from aretusa.neureka.registers import Mode
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from aretusa.target.description import Target
    from aretusa.trace.event import Extent, JobStart, TransferStart

JOB_OFFSET: Final = 0x20  # of the first job register in N-EUREKA
BEAT_BYTES: Final = 32  # what the parts of a long copy are multiples of
# Fields of MCHAN's first word: deeploy TargetLibraries/PULPOpen/inc/mchan_v7.h.
INTO_L1_BIT: Final = 17  # the bits below hold the number of bytes
INCREMENT_BIT: Final = 18
STRIDED_BIT: Final = 19
EVENT_BIT: Final = 20

Words = tuple[int, ...]  # command, address in L1, address outside; of runs their size and stride


def job_image(target: Target, event: JobStart, *, from_zero: bool) -> NDArray[np.uint32]:
    """The 24 job registers; `from_zero` tells of codes that are not negative."""
    is_1x1 = event.mode is Mode.DENSE_1X1
    in_cols = event.out_cols if is_1x1 else event.out_cols + 2
    pixel = (event.inputs.stride_bytes if is_1x1 else 0) or event.in_channels
    shape = JobShape(
        mode=event.mode,
        bits=event.bits,
        out_channels=event.out_channels,
        in_channels=event.in_channels,
        out_rows=event.out_rows,
        out_cols=event.out_cols,
        in_pixel_bytes=pixel,
        in_row_bytes=in_cols * pixel,
        out_pixel_bytes=4 * event.out_channels,
        out_row_bytes=event.out_cols * 4 * event.out_channels,
        is_signed=target.has_signed_input,
        has_prefetch=True,
        from_zero=from_zero,
    )
    weights = event.weights.offset_bytes
    if event.weights.memory is MemoryId.SRAM:
        bases = [target.memory(memory).base_address for memory in (MemoryId.MRAM, MemoryId.SRAM)]
        weights += bases[1] - bases[0]
    return job_registers(
        shape,
        weights=weights,
        inputs=event.inputs.offset_bytes,
        outputs=event.outputs.offset_bytes,
    )


def copy_commands(target: Target, event: TransferStart) -> Iterator[Words]:
    """The words of each of MCHAN's commands for a transfer with one end in L1."""
    is_in = event.target.memory is MemoryId.L1
    inside, outside = (
        _address(target, extent)
        for extent in ((event.target, event.source) if is_in else (event.source, event.target))
    )
    flags = is_in << INTO_L1_BIT | 1 << INCREMENT_BIT | 1 << EVENT_BIT
    runs = event.source if is_in else event.target
    if runs.count > 1:
        head = runs.total_bytes | flags | 1 << STRIDED_BIT
        yield head, inside, outside, runs.size_bytes, runs.stride_bytes
        return
    most = target.dma.transfer_bytes_max
    left = runs.size_bytes
    while left:
        size = left if left <= most else most // BEAT_BYTES * BEAT_BYTES
        yield size | flags, inside, outside
        inside, outside, left = inside + size, outside + size, left - size


def _address(target: Target, extent: Extent) -> int:
    return target.memory(extent.memory).base_address + extent.offset_bytes
