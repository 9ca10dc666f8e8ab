"""What a core executes for one unit of a kernel's work, and the cycles that this takes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aretusa.target.description import Kernels, MemoryId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa.target.description import Core, Target

# What the kernels of C take, and those for which X_xpulp.c takes the place of X.c.
KERNEL_TABLES: Final = {
    Kernels.PORTABLE: Path(__file__).with_name("cluster_kernels.toml"),
    Kernels.XPULP: Path(__file__).with_name("cluster_kernels_xpulp.toml"),
}
# Operands that no call names: stack, scratch and the table of exponentials lie in L1.
OWN_OPERANDS: Final = {"own": MemoryId.L1, "exp_table": MemoryId.L1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Counts per unit of work, from cluster_kernels.toml.

    `instructions` are all of them; the others are those among them that can take longer than one
    cycle. `loads` and `stores` are accesses by operand.
    """

    instructions: float = 0.0
    load_uses: float = 0.0  # loads whose result the next instruction needs
    taken_branches: float = 0.0
    jumps: float = 0.0
    multiplies: float = 0.0
    divides: float = 0.0
    float_operations: float = 0.0
    float_divides: float = 0.0
    fetch_refills: float = 0.0  # lines brought into the core's own instruction cache
    code_lines: float = 0.0  # of code, however often the unit is done
    loads: Mapping[str, float] = field(default_factory=dict)
    stores: Mapping[str, float] = field(default_factory=dict)

    def issue_cycles(self, core: Core) -> float:
        """Cycles of one core with every operand in a memory of one cycle."""
        return (
            self.instructions
            + self.load_uses * core.load_use_cycles
            + self.taken_branches * (core.taken_branch_cycles - 1)
            + self.jumps * (core.jump_cycles - 1)
            + self.multiplies * (core.multiply_cycles - 1)
            + self.divides * (core.divide_cycles - 1)
            + self.float_operations * (core.float_cycles - 1)
            + self.float_divides * (core.float_divide_cycles - 1)
            + self.fetch_refills * core.fetch_refill_cycles
        )

    def access_cycles(self, target: Target, places: Mapping[str, MemoryId]) -> float:
        """What accesses take beyond their one cycle."""
        return sum(
            count * (target.memory(places[operand]).load_cycles - 1)
            for operand, count in self.loads.items()
        ) + sum(
            count * (target.memory(places[operand]).store_cycles - 1)
            for operand, count in self.stores.items()
        )


COUNTS: Final = tuple(f.name for f in fields(Events) if f.name not in {"loads", "stores"})
Phases = dict[str, dict[str, Events]]


@cache
def kernel_events(kernels: Kernels) -> dict[str, Phases]:
    """Kernel -> phase (a stretch between two barriers) -> unit of work -> its events."""
    document: dict[str, Any] = tomllib.loads(KERNEL_TABLES[kernels].read_text("utf-8"))
    return {
        kernel: {
            phase: {unit: Events(**counts) for unit, counts in units.items()}
            for phase, units in phases.items()
        }
        for kernel, phases in document.items()
    }
