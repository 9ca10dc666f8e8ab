"""A kernel call as work that is shared by the cores, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from aretusa.cost.events import OWN_OPERANDS, Events, kernel_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.cost.code_cache import Code
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

    `kernel` names a table of the tables of counts (cost/events.py).
    """

    kernel: str
    phases: tuple[Phase, ...]
    places: Mapping[str, MemoryId] = field(default_factory=dict)

    def phase(self, name: str) -> Phase:
        """The first phase of that name."""
        return next(phase for phase in self.phases if phase.name == name)

    def cycles(self, target: Target) -> int:
        """Cycles until the last core is through, the code being in the cluster's cache.

        Barriers inside count, the one behind the call does not.
        """
        for operand, memory in self.places.items():
            reachable = target.memory(memory).load_cycles > 0
            assert reachable, f"{self.kernel}: no core reaches {operand} in {memory.name}"
        barriers = (len(self.phases) - 1) * barrier_cycles(target)
        return ceil(sum(self.phase_cycles(phase, target) for phase in self.phases)) + barriers

    def codes(self, target: Target) -> Iterator[tuple[Code, float]]:
        """The code of each phase in turn, with its lines."""
        table = kernel_events(target.kernels)[self.kernel]
        for phase in self.phases:
            units = (unit for unit, count in phase.all_cores.items() if count > 0)
            lines = sum(table[phase.name][unit].code_lines for unit in units)
            yield (self.kernel, phase.name), lines

    def phase_cycles(self, phase: Phase, target: Target) -> float:
        """The busiest core's cycles; where all wait for a divider that they share, those of it.

        What a core does before and after is not hidden by the others' waiting: they do the same.
        """
        events = kernel_events(target.kernels)[self.kernel][phase.name]
        places = {**OWN_OPERANDS, **self.places}
        each = {
            unit: found.issue_cycles(target.core) + found.access_cycles(target, places)
            for unit, found in events.items()
        }
        divider = {
            unit: count * divider_cycles(events[unit], target)
            for unit, count in phase.all_cores.items()
        }

        def cycles(unit: str, count: int) -> float:
            crowd = phase.all_cores[unit] / count
            waits = float_waits(events[unit], each[unit], crowd, target)
            return max(count * (each[unit] + waits), divider[unit])

        return max(
            sum(cycles(unit, count) for unit, count in work.items() if count > 0)
            for work in phase.busiest
        )


def divider_cycles(events: Events, target: Target) -> float:
    """How long one unit of work keeps the float dividers, evenly loaded."""
    core = target.core
    return events.float_divides * core.float_divide_cycles / core.float_divide_units


def float_waits(events: Events, cycles: float, crowd: float, target: Target) -> float:
    """Cycles in which a core waits, in one unit of work, for float units that it shares.

    As many cores as `crowd` do the same, so that `others` share its unit. An operation meets
    another core's if that one has one in this cycle or in the one before.
    """
    core = target.core
    others = max(0.0, crowd / core.float_units - 1)
    busy = events.float_operations * core.float_cycles
    density = min(1.0, busy / cycles) if cycles > 0 else 0.0
    return busy * others * (1 - (1 - density) ** 2)


def total(work: Work, each: Mapping[str, float]) -> float:
    """Sum over the units of work."""
    return sum(count * each[unit] for unit, count in work.items())


def barrier_cycles(target: Target) -> int:
    """One barrier; a core alone passes it at once."""
    return target.cluster.barrier_cycles if target.cluster.cores > 1 else 0
