"""A kernel call as work that is shared by the cores, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from aretusa.cost.events import OWN_OPERANDS, Events, kernel_events

if TYPE_CHECKING:
    from aretusa.target.description import MemoryId, Target

Work = Mapping[str, int]  # unit of work -> how often


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What happens between two barriers.

    One of `busiest` is the share of the core that the others wait for; `all_cores` is the work of
    them together, which tells how long the units that they share are busy.
    """

    name: str
    busiest: tuple[Work, ...]
    all_cores: Work


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCall:
    """One call of a kernel by all cores; `places` are the memories of its operands.

    `kernel` names a table of cluster_kernels.toml.
    """

    kernel: str
    phases: tuple[Phase, ...]
    places: Mapping[str, MemoryId] = field(default_factory=dict)

    def cycles(self, target: Target) -> int:
        """Cycles until the last core is through; barriers inside count, the one behind does not."""
        for operand, memory in self.places.items():
            reachable = target.memory(memory).load_cycles > 0
            assert reachable, f"{self.kernel}: no core reaches {operand} in {memory.name}"
        barriers = (len(self.phases) - 1) * barrier_cycles(target)
        return ceil(sum(self.phase_cycles(phase, target) for phase in self.phases)) + barriers

    def phase_cycles(self, phase: Phase, target: Target) -> float:
        """The busiest core's cycles, or those of a unit that all cores share, if it is slower."""
        events = kernel_events()[self.kernel][phase.name]
        places = {**OWN_OPERANDS, **self.places}
        each = {
            unit: found.issue_cycles(target.core) + found.access_cycles(target, places)
            for unit, found in events.items()
        }
        busiest = max(total(work, each) for work in phase.busiest)
        return max(busiest, *shared_unit_cycles(events, phase.all_cores, target))


def total(work: Work, each: Mapping[str, float]) -> float:
    """Sum over the units of work."""
    return sum(count * each[unit] for unit, count in work.items())


def shared_unit_cycles(
    events: Mapping[str, Events], work: Work, target: Target
) -> tuple[float, float]:
    """How long the dividers and the other float units are busy if their load is even."""
    divides = total(work, {unit: found.float_divides for unit, found in events.items()})
    others = total(work, {unit: found.float_operations for unit, found in events.items()})
    core = target.core
    return (
        divides * core.float_divide_cycles / core.float_divide_units,
        others * core.float_cycles / core.float_units,
    )


def barrier_cycles(target: Target) -> int:
    """One barrier; a core alone passes it at once."""
    return target.cluster.barrier_cycles if target.cluster.cores > 1 else 0
