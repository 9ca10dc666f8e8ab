"""All measurements of one run of `make bench`, and the JSON of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from compile_cost import CompileCost  # noqa: TC002 - pydantic reads the fields' types at run time
from emulated import BootCost, EmulatedCost  # noqa: TC002
from host_speed import HostSpeed  # noqa: TC002
from isolated_kernels import IsolatedCount  # noqa: TC002
from machine_facts import MachineFacts  # noqa: TC002
from plans import Plans  # noqa: TC002
from pydantic import TypeAdapter
from simulation_speed import SimulationSpeed  # noqa: TC002
from subjects import Subject  # noqa: TC002


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One model; what was not asked for is None."""

    subject: Subject
    absence: str = ""  # why nothing was measured
    compiled: CompileCost | None = None
    emulated: EmulatedCost | None = None
    boot: BootCost | None = None
    host: tuple[HostSpeed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Everything that the page shows. `machine` and `minutes` are those of models and kernels."""

    machine: MachineFacts
    minutes: float
    models: tuple[Measured, ...]
    kernels: tuple[IsolatedCount, ...]
    plans: Plans | None = None
    simulation: SimulationSpeed | None = None


def as_json(found: Measurements) -> str:
    """The same as one JSON document."""
    return json.dumps(asdict(found), indent=1) + "\n"


def from_json(text: str) -> Measurements:
    """What as_json wrote; raises ValueError for a document of other fields."""
    return TypeAdapter(Measurements).validate_json(text)
