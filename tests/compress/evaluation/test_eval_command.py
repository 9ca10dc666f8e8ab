"""`aretusa eval` in a terminal: texts, another model, questions, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tiny_models import compile_tiny, write_model
from tiny_runs import WIDTH, tiny_recipe, write_text
from typer.testing import CliRunner

from aretusa.cli import app
from aretusa.errors import ToolchainError, UsageError
from aretusa_compress.evaluation import evaluate as evaluating
from aretusa_compress.run.runner import run_recipe

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = {"question": "the tin", "answers": ["hen"], "contexts": ["the hen in the tin"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its build, a text and a question."""
    folder = tmp_path_factory.mktemp("eval")
    compile_tiny(write_model(folder / "model"), folder / "build")
    write_text(folder / "text.txt", words=120)
    (folder / "questions.jsonl").write_text(json.dumps(QUESTION) + "\n")
    return folder


def shown(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["eval", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_build_is_told_beside_its_checkpoint(place: Path) -> None:
    options = ("--text", place / "text.txt", "--against", place / "model", "--windows", 2)
    text = shown(place / "build", *options)
    assert "perplexity" in text
    assert "text.txt, dB behind each block: " in text
    found = json.loads(shown(place / "build", *options, "--json"))
    assert (found["kind"], found["other"]) == ("program", "model")
    (judged,) = found["texts"]
    assert 0 < judged["kl_nats"] < 0.1
    assert all(level > 20 for level in judged["block_snr_db"])


def test_questions_are_asked(place: Path) -> None:
    options = ("--questions", place / "questions.jsonl", "--answer-tokens", 3)
    found = json.loads(shown(place / "build", *options, "--json"))
    assert [answer["book"] for answer in found["answers"]] == ["closed", "open"]
    assert found["tasks"] == []
    assert "nats of the answer" in shown(place / "build", *options, "--book", "open")


@pytest.mark.slow
def test_a_table_has_answers_and_the_caches_that_were_asked_for(
    place: Path, tmp_path: Path
) -> None:
    run_recipe(tiny_recipe(tmp_path, [WIDTH]), tmp_path / "run")
    options = ("--table", tmp_path / "table", "--bits", 8, "--context", 128)
    asked = ("--questions", place / "questions.jsonl", "--book", "open", "--answer-tokens", 2)
    wide = json.loads(shown(tmp_path / "run", *options, "--json"))
    narrow = json.loads(shown(tmp_path / "run", *options, *asked, "--kv-bits", "8:4", "--json"))
    assert (wide["kv_bits"], narrow["kv_bits"]) == ("8", "8:4")
    for before, after in zip(wide["rows"], narrow["rows"], strict=True):
        assert before["note"] == after["note"] == ""
        assert sum(after["memory_bytes"].values()) < sum(before["memory_bytes"].values())
        assert before["accuracy"] == {}
        assert after["accuracy"].keys() == {"open"}
    assert "open book" in (tmp_path / "table" / "table.md").read_text()
    assert "accuracy_open" in (tmp_path / "table" / "table.csv").read_text()


def test_nothing_to_judge_by_is_refused(place: Path) -> None:
    with pytest.raises(UsageError, match=r"E0003.*--tasks"):
        shown(place / "build")


def test_tasks_need_their_library(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "find_spec", lambda _: None)
    with pytest.raises(ToolchainError, match="E0721"):
        shown(place / "build", "--tasks", "arc_easy, hellaswag")
