"""Activity: what an op moves and computes, whenever that happens: what energy is counted from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa.target.description import MemoryId
    from aretusa_sim.units import Unit

WORD_BYTES: Final = 4  # of an access of a core
Key = TypeVar("Key")


@dataclass(slots=True)
class Activity:
    """Counts of one op in one step.

    `macs` are by unit and bits of the weights; on N-EUREKA those that the layer needs, not those
    of padding. `moved_bytes` are by unit; `read_bytes` and `written_bytes` by memory, of cores,
    transfers and jobs together. `busy_cycles` are those of units beside the cluster.
    """

    macs: dict[tuple[Unit, int], int] = field(default_factory=dict)
    busy_cycles: dict[Unit, int] = field(default_factory=dict)
    moved_bytes: dict[Unit, int] = field(default_factory=dict)
    read_bytes: dict[MemoryId, int] = field(default_factory=dict)
    written_bytes: dict[MemoryId, int] = field(default_factory=dict)
    instructions: int = 0
    jobs: int = 0
    transfers: int = 0

    def add(self, other: Activity) -> None:
        """Both together."""
        self.add_times(other, 1)

    def plus(self, other: Activity) -> Activity:
        """Both together, in a third."""
        both = Activity()
        both.add(self)
        both.add(other)
        return both

    def add_times(self, other: Activity, times: int) -> None:
        """The other so many times; a negative number takes it away."""
        _add(self.macs, other.macs, times)
        _add(self.busy_cycles, other.busy_cycles, times)
        _add(self.moved_bytes, other.moved_bytes, times)
        _add(self.read_bytes, other.read_bytes, times)
        _add(self.written_bytes, other.written_bytes, times)
        self.instructions += times * other.instructions
        self.jobs += times * other.jobs
        self.transfers += times * other.transfers

    def use(self, unit: Unit, cycles: int, size_bytes: int) -> None:
        """A unit is busy moving bytes."""
        _add(self.busy_cycles, {unit: cycles})
        _add(self.moved_bytes, {unit: size_bytes})

    def copy_bytes(self, source: MemoryId, target: MemoryId, size_bytes: int) -> None:
        """Bytes are read and written."""
        _add(self.read_bytes, {source: size_bytes})
        _add(self.written_bytes, {target: size_bytes})

    def multiply(self, unit: Unit, bits: int, count: int) -> None:
        """Multiply-accumulates of the model."""
        if count:
            _add(self.macs, {(unit, bits): count})


def _add(totals: dict[Key, int], more: Mapping[Key, int], times: int = 1) -> None:
    for key, count in more.items():
        totals[key] = totals.get(key, 0) + times * count
