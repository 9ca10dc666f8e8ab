"""How many cycles of the cluster transfers and jobs take on their units."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from aretusa.cost.calls import barrier_cycles
from aretusa.cost.control import transfer_cycles
from aretusa.cost.transfers import off_chip_cycles
from aretusa.neureka.cycles import EngineWork, job_cycles
from aretusa.neureka.registers import WeightSource
from aretusa.target.description import MemoryId
from aretusa_sim.units import Costs, Unit

if TYPE_CHECKING:
    from aretusa.target.description import Target
    from aretusa.trace.event import JobStart, TransferStart
    from aretusa_sim.engine import Stages


@dataclass(frozen=True)
class Durations:
    """The links and N-EUREKA of a chip.

    Transfers of one unit follow each other without overlap, each with its whole set-up. The uDMA
    reaches L2 alone and one end of MCHAN is in L1: what comes from L3 goes on to L1 by MCHAN, and
    pages once more from there to the SRAM. This happens chunk by chunk beside the link, so that
    only the last chunk takes time, or the first one on the way to L3.
    """

    target: Target
    _stages: dict[tuple[MemoryId, MemoryId, int, bool], Stages] = field(default_factory=dict)
    _jobs: dict[EngineWork, Stages] = field(default_factory=dict)

    @cached_property
    def costs(self) -> Costs:
        """What does not depend on sizes."""
        target = self.target
        return Costs(
            barrier=barrier_cycles(target),
            wake=target.cluster.wake_cycles,
            check=target.offload.register_cycles,
            give=transfer_cycles(target),
            program=target.neureka_features.program_cycles,
            chunk=self._chunk,
        )

    @property
    def give(self) -> int:
        """Of core 0 to write a transfer's registers."""
        offload = self.target.offload
        return offload.transfer_registers * offload.register_cycles

    @property
    def chunk_bytes(self) -> int:
        """Of a transfer off the chip, in one transaction of the link."""
        return self.target.offload.chunk_bytes

    def transfer(self, event: TransferStart) -> Stages:
        """The units that a transfer passes."""
        is_strided = max(event.source.count, event.target.count) > 1
        key = (event.source.memory, event.target.memory, event.source.total_bytes, is_strided)
        if key not in self._stages:
            self._stages[key] = self._transfer(*key)
        return self._stages[key]

    def _transfer(self, source: MemoryId, target: MemoryId, size: int, is_strided: bool) -> Stages:
        if MemoryId.L3 not in {source, target}:
            give = self.give  # the measured set-up begins when core 0 starts to give the transfer
            if is_strided:
                give -= self.target.offload.run_registers * self.target.offload.register_cycles
            return (self._dma(is_in=target is MemoryId.L1, size_bytes=size, given_cycles=give),)
        link = (int(Unit.LINK), off_chip_cycles(self.target, size))
        chunk = min(size, self.chunk_bytes)
        into, out = (self._dma(is_in=way, size_bytes=chunk) for way in (True, False))
        match source, target:
            case MemoryId.L3, MemoryId.L1:
                return (link, into)
            case MemoryId.L3, _:
                return (link, into, out)
            case _:
                return (out, link)

    @staticmethod
    def route(source: MemoryId, target: MemoryId) -> tuple[MemoryId, ...]:
        """The memories that the bytes of a transfer pass, both ends included."""
        if MemoryId.L3 not in {source, target}:
            return source, target
        inner = target if source is MemoryId.L3 else source
        way: tuple[MemoryId, ...] = (MemoryId.L3, MemoryId.L2)
        way += (inner,) if inner is MemoryId.L1 else (MemoryId.L1, inner)
        return way if source is MemoryId.L3 else way[::-1]

    def job(self, event: JobStart) -> Stages:
        """N-EUREKA alone."""
        work = EngineWork(
            mode=event.mode,
            bits=event.bits,
            out_channels=event.out_channels,
            in_channels=event.in_channels,
            out_rows=event.out_rows,
            out_cols=event.out_cols,
            source=WeightSource.WEIGHT_MEMORY,
            has_prefetch=True,
        )
        if work not in self._jobs:
            self._jobs[work] = ((int(Unit.ENGINE), job_cycles(work, self.target.neureka).total),)
        return self._jobs[work]

    def _dma(self, *, is_in: bool, size_bytes: int, given_cycles: int = 0) -> tuple[int, int]:
        dma = self.target.dma
        commands = -(-size_bytes // dma.transfer_bytes_max)
        setup = max(0, dma.setup_cycles - given_cycles) + (commands - 1) * dma.setup_cycles
        unit = Unit.DMA_IN if is_in else Unit.DMA_OUT
        return int(unit), setup + -(-size_bytes // dma.bytes_per_cycle)

    @property
    def _chunk(self) -> int:
        """A chunk of a page, but for the first, which takes longer by what gives it."""
        link, clock = self.target.off_chip, self.target.clock
        cycles = link.chunk_setup_cycles + -(-self.chunk_bytes // link.bytes_per_cycle)
        return -(-cycles * clock.cluster_hz // clock.peripheral_hz)
