"""Gates: what fires, what is refused, and what the command returns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import aretusa_sim as sim
from aretusa.cli import main
from aretusa.errors import ExitCode, UsageError
from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa.verbs.plan import PlanRequest, plan_model
from aretusa_sim.cli_compare import compare_command
from aretusa_sim.compare_files import read_result
from aretusa_sim.compare_gates import COMPARISONS, parse_gate
from aretusa_sim.compare_metrics import metric_change
from aretusa_sim.compare_results import CompareResult

if TYPE_CHECKING:
    from aretusa_sim.results import SimulationResult

CONFIG: Final = Path(__file__).resolve().parents[2] / "examples" / "configs" / "llama-0.5m.json"


@pytest.mark.parametrize(
    ("expression", "before", "after", "fires"),
    [
        ("cycles>+2%", 100, 102, False),
        ("cycles>+2%", 100, 102.5, True),
        ("cycles>=+2%", 100, 102, True),
        ("cycles>-2%", 100, 99, True),
        ("cycles>+100", 1000, 1100, False),
        ("cycles > +100", 1000, 1101, True),
        ("cycles>+0", 7, 7, False),
        ("cycles>0", 0, 7, True),
        ("cycles>+2%", 0, 1, True),
        ("cycles>+2%", 0, 0, False),
        ("decode.tokens_per_s<200", 300, 199, True),
        ("decode.tokens_per_s<200", 100, 200, False),
        ("tokens_per_s<-5%", 100, 94, True),
        ("tokens_per_s<=-5%", 100, 96, False),
        ("uJ_per_token>6.5e2", 0, 651, True),
        ("decode.linear_limit_fraction<0.6", 0.7, 0.59, True),
    ],
)
def test_a_gate_fires(expression: str, before: float, after: float, *, fires: bool) -> None:
    gate = parse_gate(expression)
    assert gate.weigh(metric_change(gate.metric, before, after)).fired == fires


@given(
    before=st.integers(0, 10**9),
    after=st.integers(0, 10**9),
    comparison=st.sampled_from(sorted(COMPARISONS)),
    number=st.integers(0, 10**6),
    sign=st.sampled_from(["", "+", "-"]),
)
def test_a_gate_is_what_it_says(
    before: int, after: int, comparison: str, number: int, sign: str
) -> None:
    gate = parse_gate(f"cycles{comparison}{sign}{number}")
    limit = int(f"{sign}{number}") + (before if sign else 0)
    found = gate.weigh(metric_change("cycles", before, after))
    expected = {
        ">": after > limit, ">=": after >= limit, "<": after < limit, "<=": after <= limit
    }  # fmt: skip
    assert found.fired == expected[comparison]
    assert found.limit == limit


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "no metric"),
        ("cycles", "no metric"),
        ("cycles>", "no metric"),
        ("cycles=3", "no metric"),
        ("cycles>2%", "needs its sign"),
        ("cycles>+2%%", "no metric"),
        ("cycles>+-2", "no metric"),
        ("cycles>nan", "no metric"),
        ("cycles>1e999", "too large"),
        ("2>cycles", "no metric"),
        ("cycles>+2%; rm", "no metric"),
    ],
)
def test_what_is_no_gate_is_refused(expression: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"E0604.*{why}.*Write 'cycles>"):
        parse_gate(expression)


@pytest.fixture(scope="module")
def results() -> dict[str, SimulationResult]:
    options = CompileOptions(bits=4, context=64, chunk=4)
    asked = {"old": options, "new": replace(options, engine=Engine.CLUSTER)}
    return {
        name: sim.estimate(CONFIG, options=one, prefill_tokens=4, decode_tokens=3).result
        for name, one in asked.items()
    }


@pytest.fixture
def files(results: dict[str, SimulationResult], tmp_path: Path) -> dict[str, Path]:
    for name, result in results.items():
        (tmp_path / f"{name}.json").write_text(result.model_dump_json(), "utf-8")
    return {name: tmp_path / f"{name}.json" for name in results}


@pytest.mark.parametrize(
    ("metric", "meant"),
    [
        ("cycle", "cycles"),
        ("tokens_per_second", "tokens_per_s"),
        ("decode.uj_per_token", "decode.uJ_per_token"),
        ("l3_byte", "l3_bytes"),
    ],
)
def test_an_unknown_metric_is_named_with_what_is_meant(
    metric: str, meant: str, results: dict[str, SimulationResult]
) -> None:
    with pytest.raises(UsageError, match=rf"E0605.*Did you mean .*\b{meant}\b.*There are cycles"):
        sim.compare(results["old"], results["new"], fail_if=[f"{metric}>+1%"])


def _run(*arguments: str) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(compare_command)
    found = CliRunner().invoke(app, arguments)
    return found.exit_code, found.stdout, found.stderr


def test_a_gate_that_fires_has_an_exit_code_of_its_own(files: dict[str, Path]) -> None:
    paths = (str(files["old"]), str(files["new"]))
    code, text, error = _run(*paths, "--fail-if", "instructions>+2%", "--fail-if", "cycles<1")
    assert code == ExitCode.GATE == 9
    assert "gate instructions>+2%: fired" in text
    assert error.startswith("error[E0601]: 1 of 2 gates fired (instructions>+2%: ")
    code, text, error = _run(*paths, "--fail-if", "cycles<1", "--json")
    assert (code, error) == (0, "")
    assert CompareResult.model_validate_json(text).passed


def test_a_document_is_printed_and_tables_are_written(
    files: dict[str, Path], tmp_path: Path
) -> None:
    arguments = (str(files["old"]), str(files["new"]), "--json", "--csv", str(tmp_path / "csv"))
    code, text, error = _run(*arguments, "--fail-if", "instructions>+2%")
    assert code == ExitCode.GATE
    assert "E0601" in error
    found = CompareResult.model_validate_json(text)
    assert [gate.fired for gate in found.gates] == [True]
    assert {path.name for path in (tmp_path / "csv").iterdir()} == {
        "compare_metrics.csv",
        "compare_ops.csv",
    }


def test_tables_go_where_one_may_write(files: dict[str, Path]) -> None:
    assert main(["compare", *map(str, files.values()), "--csv", str(files["old"])]) == 2


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "E0602.*no JSON"),
        (b"{", "E0602.*no JSON"),
        (b"[1]", "E0602.*no object"),
        (b"[" * 100_000, "E0602.*no JSON"),
        (b"\xff\xfe", "E0602.*no JSON"),
        (b'{"schema_version": 1, "verb": "verify"}', "E0602.*a document of 'verify'"),
        (b'{"schema_version": 1, "error": {"code": "E0401"}}', "E0602.*the error E0401"),
        (b'{"schema_version": 1}', "E0602.*it holds"),
        (b'{"schema_version": 2, "verb": "simulate"}', "E0603.*its schema is 2"),
        (b'{"verb": "simulate"}', "E0603.*its schema is None"),
        (b'{"schema_version": 1, "verb": "simulate"}', "E0603.*model: Field required"),
    ],
)
def test_a_file_that_is_no_result_is_refused(content: bytes, error: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=error):
        read_result(path)


def test_a_missing_file_and_a_directory_are_refused(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(files["old"]), str(tmp_path / "none.json")]) == ExitCode.USAGE
    assert "error[E0602]" in capsys.readouterr().err
    assert main(["compare", str(files["old"]), str(tmp_path)]) == ExitCode.USAGE
    assert "error[E0005]" in capsys.readouterr().err


def test_a_changed_result_is_refused(files: dict[str, Path]) -> None:
    document = json.loads(files["old"].read_text("utf-8"))
    document["cycles"] = -1
    files["old"].write_text(json.dumps(document), "utf-8")
    with pytest.raises(UsageError, match=r"E0603.*cycles: "):
        read_result(files["old"])


def test_a_plan_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "tiny.toml"
    room = 'size_bytes = { value = 266240, confidence = "assumed", source = "a test" }'
    tiers = "\n".join(f"[memory.{name}]\n{room}" for name in ("l2", "sram", "mram", "l3"))
    target.write_text(f'name = "tiny"\nbase = "siracusa"\n{tiers}\n', "utf-8")
    plan = plan_model(CONFIG, PlanRequest(options=CompileOptions(target=str(target))))
    assert not plan.fits
    path = tmp_path / "plan.json"
    path.write_text(plan.model_dump_json(), "utf-8")
    with pytest.raises(UsageError, match=r"E0602.*does not fit"):
        read_result(path)
