"""Unit: what does one thing at a time; queues of what core 0 gives; causes of stalls."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from aretusa.trace.event import Queue

if TYPE_CHECKING:
    from aretusa_sim.results import UnitKey


class Unit(IntEnum):
    """The units of the chip. Events at one time are handled in the order of these numbers."""

    ENGINE = 0  # N-EUREKA, with the port to the weight memory
    DMA_IN = 1  # MCHAN towards L1
    DMA_OUT = 2  # MCHAN from L1
    LINK = 3  # uDMA and HyperBus, both ways
    CLUSTER = 4  # the eight cores between two barriers

    @property
    def key(self) -> UnitKey:
        """Name in results."""
        return _KEYS[self]


_KEYS: Final[tuple[UnitKey, ...]] = ("n-eureka", "dma-in", "dma-out", "off-chip", "cluster")


class Cause(IntEnum):
    """What core 0, and the others at the next barrier, wait for."""

    ENGINE = 0
    DMA = 1
    LINK = 2

    @property
    def key(self) -> str:
        """Name in results."""
        return ("engine", "dma", "off-chip")[self]


class Doing(IntEnum):
    """What the cluster does in an interval that is no kernel: labels below those of ops."""

    BARRIER = -1
    GIVING = -2  # core 0 gives work, the others wait
    WAITING = -3  # less the number of the cause


JOBS: Final = len(Queue)  # number of the queue of jobs, behind those of transfers
QUEUES: Final = JOBS + 1
CAUSE_OF_QUEUE: Final = (Cause.DMA, Cause.LINK, Cause.LINK, Cause.ENGINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Cycles of the cluster that do not depend on what is moved or computed."""

    barrier: int
    wake: int  # core 0 after it has slept
    check: int  # core 0 that finds something done
    give: int  # core 0 gives a transfer
    program: int  # core 0 writes the registers of a job
    chunk: int  # of a page on the link, which may turn to something urgent after each
