"""Everything about plans, with the state of the computer while it was measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machine_facts import MachineFacts, machine_facts
from plan_cost import LayerCount, PlanCost, measure_layers, measure_plan_cost
from predictions import EnginePlan, PlacementQuality, measure_engines, measure_placements
from subjects import PLAN_SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """What the sections about plans show; `absent` names models that could not be measured."""

    machine: MachineFacts
    minutes: float
    costs: tuple[PlanCost, ...]
    layers: tuple[LayerCount, ...]
    placements: tuple[PlacementQuality, ...]
    engines: tuple[EnginePlan, ...]
    absent: tuple[str, ...] = ()


def measure_plans(say: Callable[[str], None]) -> Plans:
    """All measurements, one after the other."""
    start = time.monotonic()
    machine = machine_facts()  # first, for the load that others make
    costs, absent = [], []
    for subject in PLAN_SUBJECTS:
        if not subject.config and not subject.path.exists():
            absent.append(subject.name)
            continue
        say(f"{subject.name}: planning and compiling")
        costs.append(measure_plan_cost(subject))
    say("numbers of layers")
    layers = measure_layers()
    say("placements")
    placements = measure_placements()
    say("engines and widths")
    engines = tuple(measure_engines())
    return Plans(
        machine=machine,
        minutes=(time.monotonic() - start) / 60,
        costs=tuple(costs),
        layers=layers,
        placements=placements,
        engines=engines,
        absent=tuple(absent),
    )
