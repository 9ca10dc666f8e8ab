"""`aretusa eval RUN --table`: a row for each checkpoint of a compression."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from tiny_models import write_model

from aretusa.cli_table import make_table, read_run, write_table
from aretusa.errors import UsageError
from aretusa.options import CompileOptions
from aretusa.stage_table import StageRow, StageTable, csv_text, markdown
from aretusa_compress.results import CompressResult, Perplexity, StageResult

if TYPE_CHECKING:
    from pathlib import Path


def stage(name: str, checkpoint: Path, perplexity: float) -> StageResult:
    return StageResult(
        name=name,
        checkpoint=str(checkpoint),
        reused=False,
        seconds=1.0,
        fingerprint="",
        weight_bytes=1 << 20,
        parameters=1000,
        nonzero=900,
        blocks=2,
        report={},
        evaluation=[Perplexity(text="news", tokens=10, nats=1.0, perplexity=perplexity)],
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run whose second checkpoint is no model any more."""
    model = write_model(tmp_path / "model")
    broken = tmp_path / "run" / "2-broken"
    broken.mkdir(parents=True)
    result = CompressResult(
        directory=str(tmp_path / "run"),
        checkpoint=str(broken),
        device="cpu",
        threads=1,
        free_bytes=1,
        need_bytes={},
        peak_bytes=1,
        libraries={},
        stages=[
            stage("model", model, 20.0),
            stage("1-depth", model, 25.0),
            stage("2-broken", broken, 30.0),
        ],
    )
    (tmp_path / "run" / "result.json").write_text(result.model_dump_json())
    return tmp_path / "run"


def made(run: Path) -> StageTable:
    return make_table(
        run,
        CompileOptions(bits=8, context=64),
        accuracy=lambda checkpoint: {"closed": 0.25} if checkpoint.name == "model" else {},
        progress=lambda *_: None,
    )


def test_rows_say_what_a_stage_costs_or_why_that_is_not_known(run: Path) -> None:
    table = made(run)
    first, second, third = table.rows
    assert (first.stage, first.perplexity, first.accuracy) == (
        "model",
        {"news": 20.0},
        {"closed": 0.25},
    )
    assert table.context == 64
    assert table.weights == "w8"
    assert first.memory_bytes["mram"] > 0
    assert first.tokens_per_second > 0
    assert first.uj_low < first.uj_per_token < first.uj_high
    assert (second.tokens_per_second, second.uj_per_token) == (
        first.tokens_per_second,
        first.uj_per_token,
    )
    assert third.tokens_per_second == 0
    assert third.note.startswith("error[E")


def test_the_table_is_written_for_people_and_for_programs(run: Path, tmp_path: Path) -> None:
    table = made(run)
    files = write_table(tmp_path / "out", table)
    assert {path.name for path in files} == {
        "table.md",
        "table.csv",
        "table.json",
        "stages.svg",
        "stages.png",
    }
    assert all(path.stat().st_size > 100 for path in files)
    assert StageTable.model_validate_json((tmp_path / "out" / "table.json").read_text()) == table
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "table.csv").read_text())))
    assert [row["perplexity_news"] for row in rows] == ["20.0", "25.0", "30.0"]
    assert rows[0]["accuracy_closed"] == "0.25"
    assert rows[2]["accuracy_closed"] == ""
    assert float(rows[0]["tokens_per_second"]) == table.rows[0].tokens_per_second


def row(**changes: object) -> StageRow:
    values: dict[str, object] = {
        "stage": "model",
        "parameters": 2_500_000,
        "nonzero": 2_000_000,
        "stored_bytes": 3 << 20,
        "memory_bytes": {"l2": 1 << 19, "l3": 0},
        "perplexity": {"news": 12.3456},
        "accuracy": {},
        "tokens_per_second": 12.345,
        "uj_per_token": 400.4,
        "uj_low": 100.0,
        "uj_high": 1234.0,
        "note": "",
    }
    return StageRow.model_validate(values | changes)


def test_markdown() -> None:
    missing = row(
        stage="1-x", memory_bytes={}, tokens_per_second=0.0, perplexity={}, note="no room"
    )
    table = StageTable(run="run", weights="w8", context=64, kv_bits="8", rows=[row(), missing])
    assert markdown(table).splitlines() == [
        (
            "| stage | parameters | not zero | stored | L2 MiB | L3 MiB | ppl news "
            "| tokens/s | uJ/token |"
        ),
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| model | 2.50 M | 2.00 M | 3.0 MiB | 0.50 | 0.00 | 12.35 | 12.35 | 400 (100 to 1,234) |",
        "| 1-x | 2.50 M | 2.00 M | 3.0 MiB |  |  |  |  |  |",
        "",
        "1-x: no room",
    ]
    assert csv_text(table).count("\n") == 3


@pytest.mark.parametrize("content", [None, "{", '{"verb": "compress"}'])
def test_a_directory_that_is_no_compression_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    with pytest.raises(UsageError, match="E0523"):
        read_run(tmp_path)


def test_a_place_that_cannot_be_written_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="E0002"):
        write_table(tmp_path / "file", made(run))
