"""Energy in a result: what a run, a phase, a step or an op takes, nominally and within a range.

Energies are microjoules. Low and high are those of all constants of the target at the low or the
high end of their ranges at once: the truth lies between them if each constant's range holds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aretusa.manifest import Record

ComponentKey = Literal[
    "n-eureka",
    "cluster",
    "l1",
    "l2",
    "sram",
    "mram",
    "weight-port",
    "dma",
    "off-chip",
    "idle",
    "leakage",
]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class EnergyRange(Record):
    """An energy."""

    nominal_uj: Amount = Field(description="with every constant at its value")
    low_uj: Amount = Field(description="with every constant at its low end")
    high_uj: Amount = Field(description="with every constant at its high end")


class EnergyResult(EnergyRange):
    """An energy and its parts."""

    components: dict[ComponentKey, EnergyRange] = Field(description="those that take any")


class PowerRange(Record):
    """A mean power."""

    nominal_mw: Amount = Field(description="energy over time")
    low_mw: Amount = Field(description="of the low energy")
    high_mw: Amount = Field(description="of the high energy")


class EnergyConstant(Record):
    """A constant of the target that energies were counted with."""

    key: str = Field(description="in the target file; its end is the unit")
    component: ComponentKey = Field(description="that it belongs to")
    value: Amount = Field(description="nominal")
    low: Amount = Field(description="end of its range")
    high: Amount = Field(description="end of its range")
    confidence: str = Field(description="published, derived, assumed, read or measured")
    source: str = Field(description="where it comes from")
