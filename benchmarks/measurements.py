"""All measurements of one run of `make bench`, and the JSON of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compile_cost import CompileCost
    from emulated import BootCost, EmulatedCost
    from host_speed import HostSpeed
    from isolated_kernels import IsolatedCount
    from machine_facts import MachineFacts
    from subjects import Subject


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
    """Everything that the page shows."""

    machine: MachineFacts
    minutes: float
    models: tuple[Measured, ...]
    kernels: tuple[IsolatedCount, ...]


def as_json(found: Measurements) -> str:
    """The same as one JSON document."""
    return json.dumps(asdict(found), indent=1) + "\n"
