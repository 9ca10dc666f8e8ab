"""Transfers: set-up and bytes, in cycles of the cluster."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from aretusa.cost.transfers import transfer_cycles
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target

TARGET: Final = load_target()


def test_a_transfer_between_l1_and_l2_is_near_what_was_measured() -> None:
    """GVSoC: 64 B 27, 1 KiB 147, 4 KiB 531 cycles."""
    for size_bytes, measured in ((64, 27), (1024, 147), (4096, 531)):
        found = transfer_cycles(TARGET, MemoryId.L2, MemoryId.L1, size_bytes)
        assert abs(found - measured) <= 2


def test_long_transfers_are_several_commands() -> None:
    most = TARGET.dma.transfer_bytes_max
    one = transfer_cycles(TARGET, MemoryId.SRAM, MemoryId.L1, most)
    two = transfer_cycles(TARGET, MemoryId.SRAM, MemoryId.L1, most + 1)
    assert two - one == TARGET.dma.setup_cycles


def test_off_chip_bytes_wait_for_the_slower_clock() -> None:
    """A chunk more costs its bytes and its set-up on the bus."""
    chunk = TARGET.offload.chunk_bytes
    few = transfer_cycles(TARGET, MemoryId.L3, MemoryId.L2, chunk)
    many = transfer_cycles(TARGET, MemoryId.L3, MemoryId.L2, 11 * chunk)
    each = TARGET.off_chip.chunk_setup_cycles + chunk // TARGET.off_chip.bytes_per_cycle
    seconds = (many - few) / TARGET.clock.cluster_hz
    assert abs(seconds * TARGET.clock.peripheral_hz / (10 * each) - 1) < 1e-4


@given(
    st.sampled_from([MemoryId.L2, MemoryId.SRAM, MemoryId.MRAM, MemoryId.L3]),
    st.integers(0, 1 << 20),
    st.integers(0, 1 << 20),
)
def test_more_bytes_never_take_less_and_two_transfers_never_less_than_one(
    source: MemoryId, one: int, other: int
) -> None:
    def cycles(size_bytes: int) -> int:
        return transfer_cycles(TARGET, source, MemoryId.L1, size_bytes)

    assert max(cycles(one), cycles(other)) <= cycles(one + other) <= cycles(one) + cycles(other)


def test_nothing_takes_no_time() -> None:
    assert transfer_cycles(TARGET, MemoryId.L3, MemoryId.L1, 0) == 0
