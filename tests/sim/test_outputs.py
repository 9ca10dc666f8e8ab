from __future__ import annotations

import csv
import io
import json
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import aretusa_sim as sim
from aretusa_sim.cli_simulate import simulate_command
from aretusa_sim.csv_tables import OPS_FILE, STEPS_FILE, ops_csv, steps_csv
from aretusa_sim.results import SimulationResult
from aretusa_sim.terminal import print_simulation
from aretusa_sim.terminal_energy import energy_text

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG: Final = Path(__file__).resolve().parents[2] / "examples" / "configs" / "llama-0.5m.json"


@pytest.fixture(scope="module")
def result() -> SimulationResult:
    return sim.estimate(
        CONFIG, bits=4, context=64, chunk=4, prefill_tokens=6, decode_tokens=3
    ).result


def _read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_tables_hold_every_op_of_both_phases_and_every_step(result: SimulationResult) -> None:
    rows = _read(ops_csv(result))
    assert len(rows) == sum(len(phase.ops) for phase in result.phases)
    assert sum(int(row["cycles"]) for row in rows) == result.cycles
    stalls = sum(int(row["stall_engine_cycles"]) for row in rows)
    assert stalls == sum(op.stalls.engine_cycles for p in result.phases for op in p.ops)
    steps = _read(steps_csv(result))
    assert [int(step["cycles"]) for step in steps] == [step.cycles for step in result.steps]
    for table in (rows, steps):
        total = fsum(float(row["energy_uj"]) for row in table)
        assert total == pytest.approx(result.energy.nominal_uj)
        parts = [name for name in table[0] if name.endswith("_uj") and name.count("_") > 1]
        ends = {"energy_low_uj", "energy_high_uj"}
        summed = fsum(float(row[name]) for row in table for name in parts if name not in ends)
        assert summed == pytest.approx(total)


def test_a_terminal_of_80_columns_shows_speed_units_and_ops(result: SimulationResult) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    print_simulation(result, console)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    for word in ("tokens/s", "n-eureka", "attention", "choose token", "linear layers"):
        assert word in text


def _command(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(simulate_command)
    found = CliRunner().invoke(app, arguments)
    return found.exit_code, found.stdout


def _asked(*more: str) -> Sequence[str]:
    return (str(CONFIG), "--estimate", "--bits", "4", "--context", "64", "--chunk", "4", *more)


def test_the_command_prints_a_document_and_writes_files(tmp_path: Path) -> None:
    code, text = _command(
        *_asked("--prefill", "4", "--max-new-tokens", "2", "--json"),
        *("--csv", str(tmp_path), "--trace", str(tmp_path / "trace.json")),
    )
    assert code == 0
    assert SimulationResult.model_validate_json(text).phase("decode").steps == 1
    assert {OPS_FILE, STEPS_FILE} <= {path.name for path in tmp_path.iterdir()}
    assert json.loads((tmp_path / "trace.json").read_text("utf-8"))["traceEvents"]


def test_the_command_takes_a_clock(tmp_path: Path) -> None:
    code, text = _command(*_asked("--clock", "100000000", "--max-new-tokens", "2", "--json"))
    assert code == 0
    assert json.loads(text)["clock_hz"] == 100_000_000


@pytest.mark.parametrize(
    ("microjoules", "text"),
    [
        (0.0, "0.00 nJ"),
        (0.5, "500 nJ"),
        (2.5, "2.50 uJ"),
        (490.0, "490 uJ"),
        (45e3, "45.0 mJ"),
        (3e6, "3.00 J"),
    ],
)
def test_energies_have_three_digits(microjoules: float, text: str) -> None:
    assert energy_text(microjoules) == text


def test_the_command_gives_advice_where_it_is_asked_for() -> None:
    asked = _asked("--prefill", "4", "--max-new-tokens", "2")
    code, text = _command(*asked, "--json", "--advice", "--advice-seconds", "0")
    assert code == 0
    advice = SimulationResult.model_validate_json(text).advice
    assert advice is not None
    assert advice.changes == []
    assert advice.untried
    code, text = _command(*asked, "--advice", "--advice-seconds", "0")
    assert code == 0
    assert "bound: the cores compute" in text
    assert "not tried, the time was up" in text
    assert SimulationResult.model_validate_json(_command(*asked, "--json")[1]).advice is None
