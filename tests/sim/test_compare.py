"""Two results side by side: what adds up, what is named as the reason, what is refused."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console

import aretusa_sim as sim
from aretusa.driver import compile_model
from aretusa.errors import UsageError
from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa.verbs.plan import PlanRequest, plan_model
from aretusa_sim.build_timing import Length
from aretusa_sim.compare_csv import metrics_csv, ops_csv
from aretusa_sim.compare_metrics import metrics
from aretusa_sim.compare_sides import PARTS, side
from aretusa_sim.compare_terminal import print_comparison

if TYPE_CHECKING:
    from aretusa.plan_results import PlanReport
    from aretusa_sim.compare_results import CompareResult
    from aretusa_sim.results import SimulationResult

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
CONFIG: Final = EXAMPLES / "configs" / "llama-0.5m.json"
OTHER: Final = EXAMPLES / "configs" / "llama-42m.json"


def _simulated(tokens: int = 3, config: Path = CONFIG, **changes: object) -> SimulationResult:
    options = CompileOptions(**{"bits": 4, "context": 64, "chunk": 4, **changes})  # type: ignore[arg-type]
    return sim.estimate(config, options=options, prefill_tokens=6, decode_tokens=tokens).result


def _planned(**changes: object) -> PlanReport:
    options = CompileOptions(**{"bits": 4, "context": 64, "chunk": 4, **changes})  # type: ignore[arg-type]
    return plan_model(CONFIG, PlanRequest(options=options, prefill_tokens=6, decode_tokens=3))


@pytest.fixture(scope="module")
def usual() -> SimulationResult:
    return _simulated()


@pytest.fixture(scope="module")
def on_cores() -> SimulationResult:
    return _simulated(engine=Engine.CLUSTER)


@pytest.fixture(scope="module")
def changed(usual: SimulationResult, on_cores: SimulationResult) -> CompareResult:
    return sim.compare(usual, on_cores)


def test_a_result_does_not_differ_from_itself(usual: SimulationResult) -> None:
    same = sim.compare(usual, usual)
    assert {metric.change for metric in same.metrics} == {0.0}
    assert {row.why for row in same.rows} == {""}
    assert same.setup == []


def test_contributions_add_up_to_the_change_of_the_phase(changed: CompareResult) -> None:
    for phase in ("prefill", "decode"):
        whole = changed.metric(f"{phase}.cycles_per_token")
        assert whole.change is not None
        assert whole.relative is not None
        for rows in (changed.rows, changed.groups):
            own = [row for row in rows if row.phase == phase]
            assert sum(row.change_cycles for row in own) == pytest.approx(whole.change)
            shares = sum(row.contribution or 0.0 for row in own)
            assert shares == pytest.approx(whole.relative)


def test_the_other_way_round_everything_changes_back(
    changed: CompareResult, usual: SimulationResult, on_cores: SimulationResult
) -> None:
    back = sim.compare(on_cores, usual)
    for metric in changed.metrics:
        other = back.metric(metric.metric)
        assert (other.before, other.after) == (metric.after, metric.before)
    there = {(row.phase, row.layer, row.name): row.change_cycles for row in changed.rows}
    again = {(row.phase, row.layer, row.name): -row.change_cycles for row in back.rows}
    assert there == again


def test_what_changes_most_comes_first(changed: CompareResult) -> None:
    for rows in (changed.rows, changed.groups):
        for phase in ("prefill", "decode"):
            own = [abs(row.change_cycles) for row in rows if row.phase == phase]
            assert own == sorted(own, reverse=True)


def test_parts_of_a_row_add_up_to_its_change(changed: CompareResult) -> None:
    for row in changed.rows:
        assert set(row.parts) == set(PARTS)
        assert sum(row.parts.values()) == pytest.approx(row.change_cycles, abs=1e-6)


def test_the_reason_is_the_engine_and_what_moves(
    changed: CompareResult, usual: SimulationResult
) -> None:
    moved = [op for op in usual.phase("decode").ops if op.engine == "neureka-3x3"]
    assert moved
    rows = {(row.layer, row.name): row for row in changed.rows if row.phase == "decode"}
    for op in moved:
        row = rows[op.layer, op.name]
        engine = next(one for one in row.differences if one.what == "engine")
        assert (engine.before, engine.after) == ("neureka-3x3", "cluster")
        assert row.why.startswith("engine neureka-3x3 -> cluster")
        assert row.amounts["weight_port_bytes"].after == 0
        assert "weight port" in row.why
        assert "macs" not in row.amounts


def test_metrics_are_those_of_the_document(usual: SimulationResult) -> None:
    same, decode = sim.compare(usual, usual), usual.phase("decode")
    energy = decode.energy_per_token.nominal_uj
    expected = {
        "cycles": usual.cycles,
        "decode.cycles": decode.cycles,
        "cycles_per_token": decode.cycles / decode.tokens,
        "tokens_per_s": decode.tokens_per_second,
        "prefill.tokens_per_s": usual.phase("prefill").tokens_per_second,
        "instructions": sum(phase.instructions for phase in usual.phases),
        "decode.stall_cycles": sum(sum(op.stalls.model_dump().values()) for op in decode.ops),
        "uJ_per_token": energy,
        "uJ": usual.energy.nominal_uj,
        "decode.linear_limit_fraction": usual.limits.phase("decode").linear.fraction or 0.0,
        "l1_peak_bytes": max(usual.occupancy[0].alive_bytes),
    }
    for name, value in expected.items():
        assert same.metric(name).before == pytest.approx(value), name
    parts = [one for one in same.metrics if one.metric.endswith("_uJ") and "." not in one.metric]
    assert sum(one.before or 0.0 for one in parts) == pytest.approx(usual.energy.nominal_uj)


def test_the_documents_name_every_metric_and_no_other(usual: SimulationResult) -> None:
    text = (EXAMPLES.parent / "docs" / "limits-and-comparing.md").read_text("utf-8")
    named = set(re.findall(r"`([a-zA-Z0-9_.]+)`", text.split("Metrics that add up", 1)[1]))
    known = metrics(side(usual))
    assert named - {"NAME_per_token", "prefill.NAME", "decode.NAME"} <= known.keys()
    plain = {name for name in known if "." not in name and not name.endswith("_per_token")}
    between = {
        name for name in plain if name.endswith(("_uJ", "_peak_bytes"))
    }  # as first, ..., last
    assert plain - between <= named


def test_runs_of_different_lengths_are_compared_by_token(usual: SimulationResult) -> None:
    longer = sim.compare(usual, _simulated(tokens=9), fail_if=["decode.macs_per_token>+20%"])
    (tokens,) = (one for one in longer.setup if one.what == "tokens")
    assert (tokens.before, tokens.after) == ("6 prefill + 2 decode", "6 prefill + 8 decode")
    names = {row.name for row in longer.groups if row.phase == "decode" and row.change_cycles}
    assert "attention" in names  # of more cached positions
    assert "mlp.up_proj" not in names
    with pytest.raises(UsageError, match=r"E0605.*2 in decode of A, 8 of B.*cycles_per_token"):
        sim.compare(usual, _simulated(tokens=9), fail_if=["cycles>+2%"])


def test_models_of_other_depth_have_rows_of_their_own(usual: SimulationResult) -> None:
    other = sim.compare(usual, _simulated(config=OTHER))
    deep = [row for row in other.rows if row.ops == (0, 1)]
    assert {row.layer for row in deep} == {4, 5, 6, 7}  # of 8 layers beside 4
    assert {row.why for row in deep} == {"only in B"}
    assert all(row.cycles.before is None for row in deep)
    assert {"model", "weights"} & {one.what for one in other.setup} == {"model"}


def test_two_plans_are_compared(usual: SimulationResult) -> None:
    plans = sim.compare(_planned(), _planned(engine=Engine.CLUSTER), fail_if=["cycles>+1"])
    assert not plans.passed
    assert plans.metric("l1_peak_bytes").before is not None
    mixed = sim.compare(_planned(), usual)
    assert next(one for one in mixed.setup if one.what == "kind").after == "simulate"
    assert mixed.metric("instructions").before is None
    assert all(row.parts == {} for row in mixed.rows if all(row.ops))
    with pytest.raises(UsageError, match=r"E0605.*lacks the metric 'instructions'"):
        sim.compare(_planned(), usual, fail_if=["instructions>+1"])


def test_tables_hold_all_metrics_and_ops(changed: CompareResult) -> None:
    metrics = list(csv.DictReader(io.StringIO(metrics_csv(changed))))
    assert [row["metric"] for row in metrics] == [one.metric for one in changed.metrics]
    ops = list(csv.DictReader(io.StringIO(ops_csv(changed))))
    changes = [float(row["change_cycles"]) for row in ops]
    assert changes == pytest.approx([row.change_cycles for row in changed.rows])
    assert "b_weight_port_bytes" in ops[0]


def test_a_terminal_of_80_columns_shows_what_changed(changed: CompareResult) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    print_comparison(changed, console)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    for word in ("tokens_per_s", "mlp.down_proj", "neureka-3x3 -> cluster", "uJ"):
        assert word in text


def test_names_of_a_model_are_no_markup(usual: SimulationResult) -> None:
    named = usual.model.model_copy(update={"name": "[red]x[/red]"})
    console = Console(width=80, record=True, file=io.StringIO())
    print_comparison(sim.compare(usual, usual.model_copy(update={"model": named})), console)
    assert "[red]x[/red]" in console.export_text()


def test_a_build_is_timed_like_the_other_side(tmp_path: Path) -> None:
    model, build = EXAMPLES / "models" / "tiny-orator", tmp_path / "build"
    options = CompileOptions(bits=4, context=64, chunk=4)
    compile_model(model, build, options)
    other = sim.estimate(
        model, options=options, prefill_tokens=7, decode_tokens=3, clock_hz=100_000_000
    )
    found = sim.compare(build, other.result)
    assert found.before.tokens == {"prefill": 7, "decode": 2}
    assert found.before.clock_hz == 100_000_000
    assert found.setup == []
    relative = found.metric("cycles").relative
    assert relative == pytest.approx(0, abs=0.05)  # it was planned for another request
    asked = sim.compare(build, build, length=Length(prefill_tokens=3, decode_tokens=2))
    assert asked.before.tokens == {"prefill": 3, "decode": 1}
    plan = sim.compare(build, _planned())
    assert plan.before.kind == "plan"
