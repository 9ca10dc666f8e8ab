"""EnergyModel: counts of what an op does -> what that takes.

Energy is linear in the counts: that of a run is the sum of those of its parts. No constant stands
here; all are the target's.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from aretusa.target.description import MemoryId
from aretusa_sim.energy_results import (
    ComponentKey,
    EnergyConstant,
    EnergyRange,
    EnergyResult,
    PowerRange,
)
from aretusa_sim.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from aretusa.target.description import Target
    from aretusa.target.energy import ConvolutionMode, Ranged
    from aretusa_sim.timing import RowTiming

COMPONENTS: Final[tuple[ComponentKey, ...]] = get_args(ComponentKey)
PJ_PER_UJ: Final = 1e6
# By section of the target's energies; the links are components of their own.
_COMPONENT: Final[dict[str, ComponentKey]] = {
    "mac_3x3": "n-eureka",
    "mac_1x1": "n-eureka",
    "neureka": "n-eureka",
    "cluster": "cluster",
    "l1": "l1",
    "l2": "l2",
    "sram": "sram",
    "mram": "mram",
    "link.weight_port_byte_pj": "weight-port",
    "link.dma_byte_pj": "dma",
    "link.off_chip_byte_pj": "off-chip",
    "idle.cycle_pj": "idle",
    "idle.leakage_uw": "leakage",
}
# What the off-chip link takes for a byte includes the memory behind it.
_ON_CHIP: Final = (MemoryId.L1, MemoryId.L2, MemoryId.SRAM, MemoryId.MRAM)


class EnergyModel:
    """The energies of a target at its clock."""

    def __init__(self, target: Target) -> None:
        """Every constant gets its place in vectors of counts."""
        self.target = target
        constants = dict(_constants(target))
        self._place = {key: place for place, key in enumerate(constants)}
        self._ends = np.array([[one.value, one.low, one.high] for one in constants.values()])
        self._component = np.array([COMPONENTS.index(_component(key)) for key in constants])

    @property
    def constants(self) -> list[EnergyConstant]:
        """All constants with their sources."""
        facts = {fact.key: fact for fact in self.target.facts}
        found = []
        for key, place in self._place.items():
            value, low, high = self._ends[place].tolist()
            fact = facts[f"energy.{key}"]
            found.append(
                EnergyConstant(
                    key=fact.key,
                    component=_component(key),
                    value=value,
                    low=low,
                    high=high,
                    confidence=fact.confidence.value,
                    source=fact.source,
                )
            )
        return found

    def nothing(self) -> NDArray[np.float64]:
        """Counts of what does nothing and takes no time."""
        return np.zeros(len(self._place))

    def counts(self, row: RowTiming, mode: ConvolutionMode | None) -> NDArray[np.float64]:
        """What a row counts; `mode` is N-EUREKA's for its products."""
        found = self.nothing()
        for key, count in self._row(row, mode):
            found[self._place[key]] += count
        return found

    def energy(self, counts: NDArray[np.float64]) -> EnergyResult:
        """Of counts, however many rows they are of."""
        each = counts[:, None] * self._ends / PJ_PER_UJ
        parts = np.zeros((len(COMPONENTS), 3))
        np.add.at(parts, self._component, each)
        nominal, low, high = parts.sum(axis=0).tolist()
        return EnergyResult(
            nominal_uj=nominal,
            low_uj=low,
            high_uj=high,
            components={
                key: EnergyRange(nominal_uj=part[0], low_uj=part[1], high_uj=part[2])
                for key, part in zip(COMPONENTS, parts.tolist(), strict=True)
                if part[2]
            },
        )

    def _row(self, row: RowTiming, mode: ConvolutionMode | None) -> Iterator[tuple[str, float]]:
        activity = row.activity
        for (unit, bits), count in activity.macs.items():
            is_engine = unit is Unit.ENGINE
            yield (f"mac_{mode}.w{bits}_pj" if is_engine else "cluster.mac_pj"), count
        yield "neureka.busy_cycle_pj", activity.busy_cycles.get(Unit.ENGINE, 0)
        yield "cluster.awake_cycle_pj", row.working + row.giving + row.at_barriers
        yield "cluster.instruction_pj", activity.instructions
        for memory in _ON_CHIP:
            yield f"{memory.key}.read_byte_pj", activity.read_bytes.get(memory, 0)
            yield f"{memory.key}.write_byte_pj", activity.written_bytes.get(memory, 0)
        moved = activity.moved_bytes
        yield "link.weight_port_byte_pj", moved.get(Unit.ENGINE, 0)
        yield "link.dma_byte_pj", moved.get(Unit.DMA_IN, 0) + moved.get(Unit.DMA_OUT, 0)
        yield "link.off_chip_byte_pj", moved.get(Unit.LINK, 0)
        yield "idle.cycle_pj", row.cycles
        microseconds = row.cycles / self.target.clock.cluster_hz * 1e6
        yield "idle.leakage_uw", microseconds  # a microwatt for a microsecond is a picojoule


def per_token(energy: EnergyRange, tokens: int) -> EnergyRange:
    """An equal share for each token; nothing if there is none."""
    share = 1 / tokens if tokens else 0.0
    return EnergyRange(
        nominal_uj=energy.nominal_uj * share,
        low_uj=energy.low_uj * share,
        high_uj=energy.high_uj * share,
    )


def mean_power(energy: EnergyRange, seconds: float) -> PowerRange:
    """Over a time; none over no time."""
    milli_per_micro = 1e-3 / seconds if seconds else 0.0
    return PowerRange(
        nominal_mw=energy.nominal_uj * milli_per_micro,
        low_mw=energy.low_uj * milli_per_micro,
        high_mw=energy.high_uj * milli_per_micro,
    )


def _constants(target: Target) -> Iterator[tuple[str, Ranged]]:
    for section in fields(target.energy):
        group = getattr(target.energy, section.name)
        for field in fields(group):
            yield f"{section.name}.{field.name}", getattr(group, field.name)


def _component(key: str) -> ComponentKey:
    section = key.partition(".")[0]
    return _COMPONENT[section] if section in _COMPONENT else _COMPONENT[key]
