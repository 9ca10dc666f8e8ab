"""The tables of a simulation as CSV: one line per op and phase, and one per step."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final, get_args

from aretusa.target.description import MemoryId
from aretusa_sim.energy_results import ComponentKey
from aretusa_sim.results import OpResult, StepResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from aretusa_sim.energy_results import EnergyResult
    from aretusa_sim.results import SimulationResult

# A spreadsheet takes a text that begins like this for a formula (OWASP, "CSV Injection").
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_NESTED: Final = {"macs", "stalls", "read_bytes", "written_bytes", "energy"}
OPS_FILE: Final = "simulation_ops.csv"
STEPS_FILE: Final = "simulation_steps.csv"


def write_csv(directory: Path, result: SimulationResult) -> list[Path]:
    """Both tables; returns their files."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {OPS_FILE: ops_csv(result), STEPS_FILE: steps_csv(result)}
    for name, text in texts.items():
        (directory / name).write_text(text, "utf-8", newline="")
    return [directory / name for name in texts]


def ops_csv(result: SimulationResult) -> str:
    """The fields of OpResult, with stalls and memories in columns of their own."""
    rows = [{"phase": phase.phase, **_op(op)} for phase in result.phases for op in phase.ops]
    return _table(list(rows[0]) if rows else [], rows)


def steps_csv(result: SimulationResult) -> str:
    """The fields of StepResult, with energies in columns of their own."""
    names = [name for name in StepResult.model_fields if name not in _NESTED]
    rows: list[dict[str, object]] = [
        {**{name: getattr(step, name) for name in names}, **_energy(step.energy)}
        for step in result.steps
    ]
    return _table(list(rows[0]) if rows else names, rows)


def _op(op: OpResult) -> dict[str, object]:
    plain = {name: getattr(op, name) for name in OpResult.model_fields if name not in _NESTED}
    return {
        **plain,
        "macs": sum(one.count for one in op.macs),
        **{f"stall_{name}": cycles for name, cycles in op.stalls.model_dump().items()},
        **{f"{memory.key}_read_bytes": op.read_bytes.get(memory.key, 0) for memory in MemoryId},
        **{
            f"{memory.key}_written_bytes": op.written_bytes.get(memory.key, 0)
            for memory in MemoryId
        },
        **_energy(op.energy),
    }


def _energy(energy: EnergyResult) -> dict[str, object]:
    """Nominal and range, and the nominal energy of each component."""
    parts = energy.components
    return {
        "energy_uj": energy.nominal_uj,
        "energy_low_uj": energy.low_uj,
        "energy_high_uj": energy.high_uj,
        **{
            f"energy_{key.replace('-', '_')}_uj": parts[key].nominal_uj if key in parts else 0.0
            for key in get_args(ComponentKey)
        },
    }


def _table(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value
