"""Ways and times of transfers, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from aretusa.target.description import MemoryId
from aretusa.target.load import load_target
from aretusa.trace.event import Extent, Queue, TransferStart
from aretusa_sim.durations import Durations
from aretusa_sim.units import Unit

TARGET: Final = load_target()
DURATIONS: Final = Durations(TARGET)
L1, L2, SRAM, L3 = MemoryId.L1, MemoryId.L2, MemoryId.SRAM, MemoryId.L3
RATIO: Final = TARGET.clock.cluster_hz / TARGET.clock.peripheral_hz  # 7.2 cycles


def _stages(
    source: MemoryId, target: MemoryId, size: int, durations: Durations = DURATIONS
) -> list[tuple[Unit, int]]:
    queue = Queue.DMA if L3 not in {source, target} else Queue.OFF_CHIP
    event = TransferStart(queue, 1, Extent("", source, 0, size), Extent("", target, 0, size))
    return [(Unit(unit), cycles) for unit, cycles in durations.transfer(event)]


def test_on_the_chip_mchan_alone_moves_bytes() -> None:
    behind = TARGET.dma.setup_cycles - DURATIONS.give  # core 0 gives in the rest of it
    assert _stages(L2, L1, 800) == [(Unit.DMA_IN, behind + 100)]
    assert _stages(L1, L2, 801) == [(Unit.DMA_OUT, behind + 101)]


@pytest.mark.parametrize(("size", "last"), [(100, 100), (1024, 1024), (5000, 1024)])
def test_what_comes_from_off_chip_passes_l2_and_l1_chunk_by_chunk(size: int, last: int) -> None:
    """Only the last chunk takes time behind the link; pages go on from L1 to the SRAM."""
    chunks = -(-size // 1024)
    link = -(-int((64 + 18 * (chunks - 1) + size) * RATIO * 10) // 10)
    moved = TARGET.dma.setup_cycles + -(-last // TARGET.dma.bytes_per_cycle)
    into, out = (Unit.DMA_IN, moved), (Unit.DMA_OUT, moved)
    (unit, cycles), *behind = _stages(L3, L1, size)
    assert unit is Unit.LINK
    assert abs(cycles - link) <= 1
    assert behind == [into]
    assert _stages(L3, SRAM, size) == [(Unit.LINK, cycles), into, out]
    assert _stages(L1, L3, size) == [out, (Unit.LINK, cycles)]


@pytest.mark.parametrize(
    ("source", "target", "way"),
    [
        (L2, L1, (L2, L1)),
        (L3, L1, (L3, L2, L1)),
        (L3, SRAM, (L3, L2, L1, SRAM)),
        (L1, L3, (L1, L2, L3)),
    ],
)
def test_the_way_of_a_transfer(
    source: MemoryId, target: MemoryId, way: tuple[MemoryId, ...]
) -> None:
    assert Durations.route(source, target) == way


def test_a_chunk_of_a_page_is_its_bytes_and_its_transaction() -> None:
    assert DURATIONS.costs.chunk == -(-(1024 + 18) * 36 // 5)


def test_a_faster_cluster_leaves_the_link_its_time() -> None:
    """Two clocks: twice the cycles at twice the frequency."""
    clock = replace(TARGET.clock, cluster_hz=2 * TARGET.clock.cluster_hz)
    fast = Durations(replace(TARGET, clock=clock))
    (_, slow_cycles), *_ = _stages(L3, L1, 4000)
    (_, fast_cycles), *_ = _stages(L3, L1, 4000, fast)
    assert abs(fast_cycles - 2 * slow_cycles) <= 1
    assert _stages(L2, L1, 4000, fast) == _stages(L2, L1, 4000)
