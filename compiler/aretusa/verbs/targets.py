"""The built-in targets, every number of one, and whether a target file is sound."""

from __future__ import annotations

from typing import Literal

from aretusa.manifest import SCHEMA_VERSION, Record
from aretusa.target.load import BUILT_IN, load_target, target_path

# The last words of a key, and the unit they stand for.
UNITS = {
    "bytes_per_cycle": "B/cycle",
    "transfer_bytes_max": "B",
    "base_address": "",
    "bytes": "B",
    "cycles": "cycles",
    "hz": "Hz",
    "pj": "pJ",
    "uw": "uW",
}


class FactResult(Record):
    """One number of a target."""

    key: str
    value: int | float
    low: float | None = None
    high: float | None = None
    unit: str
    confidence: str
    source: str


class TargetResult(Record):
    """One target with all its numbers."""

    schema_version: int = SCHEMA_VERSION
    verb: Literal["targets"] = "targets"
    name: str
    file: str
    facts: list[FactResult]


class TargetListResult(Record):
    """The built-in targets."""

    schema_version: int = SCHEMA_VERSION
    verb: Literal["targets"] = "targets"
    targets: list[str]


def list_targets() -> TargetListResult:
    """Names of the built-in targets."""
    return TargetListResult(targets=list(BUILT_IN))


def show_target(name_or_path: str) -> TargetResult:
    """Every number of a target; E0301 if its file is not sound."""
    target = load_target(name_or_path)
    return TargetResult(
        name=target.name,
        file=target_path(name_or_path).name,
        facts=[
            FactResult(
                key=fact.key,
                value=fact.value,
                low=fact.low,
                high=fact.high,
                unit=unit_of(fact.key),
                confidence=fact.confidence.value,
                source=fact.source,
            )
            for fact in target.facts
        ],
    )


def unit_of(key: str) -> str:
    """The unit that the end of a key's name stands for; counts have none."""
    name = key.rpartition(".")[2]
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")
