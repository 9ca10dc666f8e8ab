"""Register images of the jobs in a schedule, by the builder in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.neureka.job import JobShape, job_registers
from aretusa.neureka.registers import Mode
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aretusa.target.description import Target
    from aretusa.trace.event import JobStart


def register_image(target: Target, event: JobStart) -> NDArray[np.uint32]:
    """The image of the job's registers."""
    is_1x1 = event.mode is Mode.DENSE_1X1
    in_cols = event.out_cols if is_1x1 else event.out_cols + 2
    pixel = event.inputs.stride_bytes if event.inputs.count > 1 else event.in_channels
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
