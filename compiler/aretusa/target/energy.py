"""Energy: what the actions of a chip cost, each constant with a range; picojoules if not said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ConvolutionMode = Literal["3x3", "1x1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranged:
    """A number that is known within low .. high."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MacEnergy:
    """One multiply-accumulate of the model in one mode of N-EUREKA, by bits of the weight."""

    w2_pj: Ranged
    w3_pj: Ranged
    w4_pj: Ranged
    w5_pj: Ranged
    w6_pj: Ranged
    w7_pj: Ranged
    w8_pj: Ranged


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEnergy:
    """One byte of a memory, with the wires to its port."""

    read_byte_pj: Ranged
    write_byte_pj: Ranged


@dataclass(frozen=True, slots=True, kw_only=True)
class NeurekaEnergy:
    """What N-EUREKA takes beside its products."""

    busy_cycle_pj: Ranged  # control, buffers, accumulators and clock, while a job runs


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterEnergy:
    """The worker cores."""

    awake_cycle_pj: Ranged  # clock, code caches and interconnect, while the cores do not sleep
    instruction_pj: Ranged
    mac_pj: Ranged  # what a product of codes adds to its instruction; they are widened to 32 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEnergy:
    """What moves bytes between memories, without what the memories take themselves."""

    weight_port_byte_pj: Ranged
    dma_byte_pj: Ranged
    off_chip_byte_pj: Ranged  # controller, pads, the memory behind them, and MCHAN beside the link


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleEnergy:
    """What a chip takes that does nothing but keep its clocks running."""

    cycle_pj: Ranged  # of the cluster's clock
    leakage_uw: Ranged  # a power


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """All constants, in the order in which they are counted."""

    mac_3x3: MacEnergy
    mac_1x1: MacEnergy
    neureka: NeurekaEnergy
    cluster: ClusterEnergy
    l1: AccessEnergy
    l2: AccessEnergy
    sram: AccessEnergy
    mram: AccessEnergy
    link: LinkEnergy
    idle: IdleEnergy
