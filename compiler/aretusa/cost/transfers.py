"""Cycles of a transfer between two memories, in cycles of the cluster's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.target.description import Target


def transfer_cycles(
    target: Target, source: MemoryId, destination: MemoryId, size_bytes: int
) -> int:
    """From the moment that core 0 gives a transfer until its last byte has landed.

    MCHAN moves between L1 and the other memories of the chip, the uDMA from and to L3. Nothing
    takes no time.
    """
    if size_bytes == 0:
        return 0
    if MemoryId.L3 in {source, destination}:
        return off_chip_cycles(target, size_bytes)
    return dma_cycles(target, size_bytes)


def dma_cycles(target: Target, size_bytes: int) -> int:
    """One or more commands of MCHAN, each with its set-up."""
    commands = -(-size_bytes // target.dma.transfer_bytes_max)
    return commands * target.dma.setup_cycles + -(-size_bytes // target.dma.bytes_per_cycle)


def off_chip_cycles(target: Target, size_bytes: int) -> int:
    """The link's cycles for one transfer in chunks; the peripheral clock is the slower one."""
    link, clock = target.off_chip, target.clock
    more_chunks = -(-size_bytes // target.offload.chunk_bytes) - 1
    setups = link.setup_cycles + more_chunks * link.chunk_setup_cycles
    peripheral_cycles = setups + -(-size_bytes // link.bytes_per_cycle)
    return -(-peripheral_cycles * clock.cluster_hz // clock.peripheral_hz)
