"""Calibration: transfers of MCHAN against firmware on the virtual platform."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibration_rows import Group, Row

from aretusa.target.description import MemoryId
from aretusa.target.load import load_target
from aretusa.trace.event import Extent, Queue, TransferStart
from aretusa_sim.durations import Durations
from aretusa_sim.engine import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

KIB: Final = 1024
# Bytes of transfers that one core gives in a row, negative from L1, before it waits for all.
MEASURED: Final = (
    ("64 bytes to L1", (64,), 27),
    ("256 bytes to L1", (256,), 49),
    ("1 KiB to L1", (KIB,), 147),
    ("4 KiB to L1", (4 * KIB,), 531),
    ("1 KiB from L1", (-KIB,), 144),
    ("4 KiB from L1", (-4 * KIB,), 540),
    ("4 x 1 KiB to L1", (KIB,) * 4, 534),
    ("4 x 4 KiB to L1", (4 * KIB,) * 4, 2075),
    ("4 x 1 KiB from L1", (-KIB,) * 4, 548),
    ("2 x 1 KiB each way", (-KIB, KIB) * 2, 296),
    ("2 x 4 KiB each way", (-4 * KIB, 4 * KIB) * 2, 1068),
)
FITTED: Final = "1 KiB to L1"


def link_group() -> Group:
    """One transfer gives the set-up; that queued ones overlap follows from the engine."""
    rows = tuple(
        Row(
            what=what,
            published=cycles,
            ours=_given(sizes),
            use="fit" if what == FITTED else "check",
            note="set-up of a transfer" if what == FITTED else "",
        )
        for what, sizes, cycles in MEASURED
    )
    return Group(
        title="MCHAN, transfers between L2 and L1",
        source="firmware on GVSoC's siracusa target (209c147): one core gives them and polls",
        unit="cycles",
        rows=rows,
    )


def _given(sizes: Sequence[int]) -> int:
    """The firmware writes registers and polls: nothing of our runtime, and no core wakes up."""
    chip = load_target()
    durations = Durations(replace(chip, control=replace(chip.control, transfer_cycles=0)))
    timeline = Timeline(durations.costs)
    for number, size in enumerate(sizes, 1):
        ends = (MemoryId.L2, MemoryId.L1) if size > 0 else (MemoryId.L1, MemoryId.L2)
        source, target = (Extent("", memory, 0, abs(size)) for memory in ends)
        transfer = TransferStart(Queue.DMA, number, source, target)
        timeline.give(Queue.DMA, durations.transfer(transfer), 0)
    timeline.wait(Queue.DMA, 0)
    return timeline.now - durations.costs.wake
