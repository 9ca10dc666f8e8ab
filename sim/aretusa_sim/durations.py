"""How many cycles of the cluster transfers and jobs take on their units."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from aretusa.cost.calls import barrier_cycles
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

    Transfers of one unit follow each other without overlap, each with its whole set-up. What goes
    between L3 and L1 passes MCHAN, too; pages go straight to the SRAM.
    """

    target: Target
    _stages: dict[tuple[MemoryId, MemoryId, int], Stages] = field(default_factory=dict)
    _jobs: dict[EngineWork, Stages] = field(default_factory=dict)

    @cached_property
    def costs(self) -> Costs:
        """What does not depend on sizes."""
        target = self.target
        return Costs(
            barrier=barrier_cycles(target),
            wake=target.cluster.wake_cycles,
            check=target.offload.register_cycles,
            give=self.give,
            program=target.neureka_features.program_cycles,
            burst=self._peripheral(target.offload.page_burst_bytes),
            link_setup=off_chip_cycles(target, 1) - self._peripheral(1),
        )

    @property
    def give(self) -> int:
        """Of core 0 for one transfer."""
        offload = self.target.offload
        return offload.transfer_registers * offload.register_cycles

    def transfer(self, event: TransferStart) -> Stages:
        """The units that a transfer passes."""
        key = (event.source.memory, event.target.memory, event.source.size_bytes)
        if key not in self._stages:
            self._stages[key] = self._transfer(*key)
        return self._stages[key]

    def _transfer(self, source: MemoryId, target: MemoryId, size: int) -> Stages:
        stages = []
        if MemoryId.L1 in {source, target}:
            stages.append(self._dma(is_in=target is MemoryId.L1, size_bytes=size))
        if MemoryId.L3 in {source, target}:
            stages.append((int(Unit.LINK), off_chip_cycles(self.target, size)))
        if source is MemoryId.L3:
            stages.reverse()
        return tuple(stages)

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

    def _dma(self, *, is_in: bool, size_bytes: int) -> tuple[int, int]:
        """The measured set-up begins when core 0 starts to give the transfer."""
        dma = self.target.dma
        commands = -(-size_bytes // dma.transfer_bytes_max)
        setup = max(0, dma.setup_cycles - self.give) + (commands - 1) * dma.setup_cycles
        unit = Unit.DMA_IN if is_in else Unit.DMA_OUT
        return int(unit), setup + -(-size_bytes // dma.bytes_per_cycle)

    def _peripheral(self, size_bytes: int) -> int:
        """Bytes of the off-chip link without a set-up."""
        clock = self.target.clock
        cycles = -(-size_bytes // self.target.off_chip.bytes_per_cycle)
        return -(-cycles * clock.cluster_hz // clock.peripheral_hz)
