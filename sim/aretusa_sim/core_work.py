"""CoreWork: cycles, accesses and instructions of the cores in the phases of kernels."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aretusa.cost.calls import total
from aretusa.cost.events import OWN_OPERANDS, Events, kernel_events
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aretusa.cost.calls import KernelCall, Phase
    from aretusa.cost.code_cache import Code
    from aretusa.target.description import Target
    from aretusa_sim.kernels import Counted

OWN_KERNELS: Final = Path(__file__).with_name("own_kernels.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A stretch of work: cycles until the last core is through, and what all cores do in it.

    `codes` are the phases of kernels that it runs, with their lines of code.
    """

    cycles: int
    codes: tuple[tuple[Code, float], ...]
    instructions: int
    loads: Mapping[MemoryId, int]
    stores: Mapping[MemoryId, int]


@dataclass
class CoreWork:
    """Turns counted work into cycles.

    With `has_contention`, cores that want the same bank wait for each other. Of A accesses of all
    cores to a memory in C cycles, one core does A / cores; each of them meets one of the
    A / C (cores - 1) / cores accesses that the others do in that cycle with a probability of one
    in `banks`, and waits a cycle in half of these cases. Other units are left out: MCHAN and
    N-EUREKA take two and nine words of sixteen banks while they run, the cores about three.
    """

    target: Target
    has_contention: bool = True
    _known: dict[object, Share] = field(default_factory=dict)

    def share(self, key: object, counted: Iterable[Counted]) -> Share:
        """The work of an event; equal keys stand for equal work."""
        found = self._known.get(key)
        if found is None:
            parts = [self._phase(one) for one in counted]
            found = parts[0] if len(parts) == 1 else _sum(parts)
            self._known[key] = found
        return found

    def known(self, key: object) -> Share | None:
        """The work of a key that was asked for before."""
        return self._known.get(key)

    def _events(self, kernel: str) -> Mapping[str, Mapping[str, Events]]:
        own = _own_events()
        return own[kernel] if kernel in own else kernel_events(self.target.kernels)[kernel]

    def _phase(self, counted: Counted) -> Share:
        call, phase = counted
        events = self._events(call.kernel)[phase.name]
        places = {**OWN_OPERANDS, **call.places}
        if call.kernel in _own_events():
            cycles = self._own_cycles(phase, events, places)
        else:
            cycles = call.phase_cycles(phase, self.target)
        loads = _accesses(phase.all_cores, {u: e.loads for u, e in events.items()}, places)
        stores = _accesses(phase.all_cores, {u: e.stores for u, e in events.items()}, places)
        instructions = total(phase.all_cores, {u: e.instructions for u, e in events.items()})
        if self.has_contention:
            cycles += self._lost(cycles, loads, stores)
        return Share(
            cycles=ceil(cycles),
            codes=self._codes(call, phase),
            instructions=round(instructions),
            loads=loads,
            stores=stores,
        )

    def _codes(self, call: KernelCall, phase: Phase) -> tuple[tuple[Code, float], ...]:
        if call.kernel in _own_events():
            return ()
        return tuple(replace(call, phases=(phase,)).codes(self.target))

    def _own_cycles(
        self, phase: Phase, events: Mapping[str, Events], places: Mapping[str, MemoryId]
    ) -> float:
        """Of a kernel of ours, which uses no unit that cores share."""
        each = {
            unit: found.issue_cycles(self.target.core) + found.access_cycles(self.target, places)
            for unit, found in events.items()
        }
        return max(total(work, each) for work in phase.busiest)

    def _lost(
        self, cycles: float, loads: Mapping[MemoryId, int], stores: Mapping[MemoryId, int]
    ) -> float:
        """Cycles of one core in which others have the bank that it wants."""
        contention, cores = self.target.contention, self.target.cluster.cores
        banks = {MemoryId.L1: contention.l1_banks, MemoryId.L2: contention.l2_banks}
        lost = 0.0
        for memory, count in banks.items():
            accesses = loads.get(memory, 0) + stores.get(memory, 0)
            if accesses:
                others = accesses * (cores - 1) / cores / cycles
                lost += accesses / cores * others / count / 2
        return lost


def _accesses(
    work: Mapping[str, int], each: Mapping[str, Mapping[str, float]], places: Mapping[str, MemoryId]
) -> dict[MemoryId, int]:
    found: dict[MemoryId, float] = {}
    for unit, count in work.items():
        for operand, accesses in each[unit].items():
            memory = places[operand]
            found[memory] = found.get(memory, 0.0) + count * accesses
    return {memory: round(count) for memory, count in found.items()}


def _sum(shares: list[Share]) -> Share:
    loads: dict[MemoryId, int] = {}
    stores: dict[MemoryId, int] = {}
    for share in shares:
        for totals, more in ((loads, share.loads), (stores, share.stores)):
            for memory, count in more.items():
                totals[memory] = totals.get(memory, 0) + count
    return Share(
        cycles=sum(share.cycles for share in shares),
        codes=tuple(code for share in shares for code in share.codes),
        instructions=sum(share.instructions for share in shares),
        loads=loads,
        stores=stores,
    )


@cache
def _own_events() -> dict[str, dict[str, dict[str, Events]]]:
    document = tomllib.loads(OWN_KERNELS.read_text("utf-8"))
    return {
        kernel: {
            phase: {unit: Events(**counts) for unit, counts in units.items()}
            for phase, units in phases.items()
        }
        for kernel, phases in document.items()
    }
