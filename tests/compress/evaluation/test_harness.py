"""Tasks of lm-eval: requests answered from known probabilities, and tasks run from a folder."""

from __future__ import annotations

import json
from importlib import import_module
from math import log
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from scripted_subject import VOCABULARY, ScriptedSubject
from tiny_models import compile_tiny, write_model
from typer.testing import CliRunner

from aretusa.cli import app
from aretusa.verbs.program_subject import ProgramSubject
from aretusa_compress.errors import ToolchainError, UsageError
from aretusa_compress.evaluation import evaluate as evaluating
from aretusa_compress.evaluation.evaluate import EvaluationOptions, evaluate
from aretusa_compress.evaluation.open_checkpoint import open_subject

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.evaluation.results import TaskResult

RARE = log(0.5 / (VOCABULARY - 1))  # of every character but the next one of the alphabet
USUAL = log(0.5)
# lm-eval and what it brings warn of their own affairs.
needs_lm_eval = [pytest.mark.lm_eval, pytest.mark.filterwarnings("default")]


def marked(test: Any) -> Any:  # noqa: ANN401
    for mark in needs_lm_eval:
        test = mark(test)
    return test


def requests(*given: tuple[object, ...]) -> list[Any]:
    return [SimpleNamespace(args=args) for args in given]


def machine(**changes: Any) -> Any:  # noqa: ANN401
    harness = import_module("aretusa_compress.evaluation.harness")
    return harness.SubjectLM(ScriptedSubject(**changes))


@marked
def test_continuations_get_their_likelihood() -> None:
    found = machine().loglikelihood(requests(("xab", "cd"), ("xab", "cx"), ("ab ", "c"), ("", "A")))
    totals, greedy = zip(*found, strict=True)
    assert totals == pytest.approx([2 * USUAL, USUAL + RARE, RARE + RARE, USUAL])
    assert greedy == (True, False, False, True), "A follows the token that stands at the start"


@marked
def test_long_contexts_are_cut_on_the_left() -> None:
    ((total, greedy),) = machine(context=3).loglikelihood(requests(("zzzzab", "cd")))
    assert (total, greedy) == (pytest.approx(2 * USUAL), True)
    ((total, _),) = machine(context=3).loglikelihood(requests(("z", "abcdef")))
    assert total == pytest.approx(3 * USUAL), "of six tokens the last three fit, behind one"


@marked
def test_whole_texts_count_every_token_once() -> None:
    text = "ABCDxEFG"
    (total,) = machine(context=4).loglikelihood_rolling(requests((text,)))
    assert total == pytest.approx(6 * USUAL + 2 * RARE)


@marked
def test_generation_ends_at_stops() -> None:
    answers = {"Q": "one two\nthree", "R": "endless" * 20}
    said = machine(answers=answers).generate_until(
        requests(
            ("Q", {"until": ["\n"]}),
            ("Q", {"until": "two"}),
            ("Q", {"until": [], "do_sample": True, "temperature": 0.0}),
            ("R", {"max_gen_toks": 9}),
        )
    )
    assert said == ["one two", "one ", "one two\nthree", "endlessen"]


@marked
def test_random_text_is_refused() -> None:
    with pytest.raises(UsageError, match=r"E0522.*do_sample"):
        machine().generate_until(requests(("Q", {"do_sample": True, "temperature": 0.7})))


def write_tasks(folder: Path) -> Path:
    """Multiple choice, a text as a whole, and answers to be generated; with their data."""
    folder.mkdir()
    letters = [
        {"before": f"the {a}", "choices": [b, "in"], "right": index % 2, "text": "then other hen"}
        for index, (a, b) in enumerate([("hen", "ten"), ("tin", "an"), ("one", "no"), ("on", "an")])
    ]
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in letters))
    shared = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "metadata": {"version": 2.0},
    }
    tasks: dict[str, dict[str, Any]] = {
        "tiny_choice": {
            "output_type": "multiple_choice",
            "doc_to_text": "{{before}}",
            "doc_to_choice": "{{choices}}",
            "doc_to_target": "{{right}}",
            "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        },
        "tiny_text": {
            "output_type": "loglikelihood_rolling",
            "doc_to_text": "",
            "doc_to_target": "{{text}}",
            "metric_list": [{"metric": "byte_perplexity"}],
        },
        "tiny_answer": {
            "output_type": "generate_until",
            "doc_to_text": "{{before}}",
            "doc_to_target": "{{choices[0]}}",
            "generation_kwargs": {"until": ["\n"], "max_gen_toks": 3},
            "metric_list": [{"metric": "exact_match"}],
        },
    }
    for name, task in tasks.items():
        (folder / f"{name}.yaml").write_text(json.dumps({"task": name, **shared, **task}))
    return folder


TASKS = ("tiny_choice", "tiny_text", "tiny_answer")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library of data sets writes goes where the test's other files go."""
    for name in ("HF_HOME", "HF_DATASETS_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    datasets = import_module("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def judged(subject: Any, tasks: Path, kind: Any) -> dict[tuple[str, str], TaskResult]:  # noqa: ANN401
    options = EvaluationOptions(tasks=TASKS, task_folder=tasks, limit=3)
    result = evaluate(subject, options, kind=kind, device="cpu")
    return {(found.task, found.metric): found for found in result.tasks}


@marked
def test_checkpoints_and_builds_are_given_the_same_tasks(tmp_path: Path, cache: None) -> None:
    del cache
    tasks = write_tasks(tmp_path / "tasks")
    model = write_model(tmp_path / "model")
    program = ProgramSubject.open(compile_tiny(model, tmp_path / "build"))
    floats, integers = (
        judged(open_subject(model), tasks, "float"),
        judged(program, tasks, "program"),
    )
    assert (
        floats.keys()
        == integers.keys()
        >= {
            ("tiny_choice", "acc"),
            ("tiny_choice", "acc_norm"),
            ("tiny_text", "byte_perplexity"),
            ("tiny_answer", "exact_match"),
        }
    )
    for (task, _), found in floats.items():
        assert (found.asked, found.few_shot, found.version) == (3, 0, "2.0"), task
    accuracy = floats["tiny_choice", "acc"]
    assert 3 * accuracy.value == pytest.approx(round(3 * accuracy.value))
    assert accuracy.standard_error is not None
    # Eight bits change a byte's likelihood by little.
    text = [found["tiny_text", "byte_perplexity"].value for found in (floats, integers)]
    assert text[1] == pytest.approx(text[0], rel=0.05)


@marked
def test_the_command_shows_tasks(tmp_path: Path, cache: None) -> None:
    del cache
    tasks = write_tasks(tmp_path / "tasks")
    build = compile_tiny(write_model(tmp_path / "model"), tmp_path / "build")
    command = ["eval", str(build), "--tasks", "tiny_choice", "--task-dir", str(tasks)]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    assert "acc_norm" in shown.output
    document = json.loads(CliRunner().invoke(app, [*command, "--json", "--limit", "2"]).stdout)
    assert {task["asked"] for task in document["tasks"]} == {2}


@marked
def test_unknown_and_broken_tasks_are_told(tmp_path: Path, cache: None) -> None:
    del cache
    folder = write_tasks(tmp_path / "tasks")
    broken = json.loads((folder / "tiny_choice.yaml").read_text())
    broken |= {"task": "tiny_broken", "output_type": "no_such_kind"}
    (folder / "tiny_broken.yaml").write_text(json.dumps(broken))
    harness = import_module("aretusa_compress.evaluation.harness")
    with pytest.raises(UsageError, match=r"E0522.*'tiny_choise'.*tiny_choice"):
        harness.run_tasks(ScriptedSubject(), ["tiny_choise"], folder=folder)
    with pytest.raises(UsageError, match=r"E0522.*tiny_broken"):
        harness.run_tasks(ScriptedSubject(), ["tiny_broken"], folder=folder)


@marked
def test_data_that_do_not_come_are_told(tmp_path: Path, cache: None) -> None:
    del cache
    folder = write_tasks(tmp_path / "tasks")
    (folder / "data.jsonl").unlink()
    harness = import_module("aretusa_compress.evaluation.harness")
    with pytest.raises(ToolchainError, match="E0503"):
        harness.run_tasks(ScriptedSubject(), ["tiny_choice"], folder=folder)


def test_tasks_without_the_library_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "find_spec", lambda _: None)
    with pytest.raises(ToolchainError, match=r"E0721.*aretusa\[lm-eval\]"):
        evaluate(
            ScriptedSubject(), EvaluationOptions(tasks=("arc_easy",)), kind="float", device="cpu"
        )
