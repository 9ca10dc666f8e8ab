"""Comparisons: paired tests, recipes of equal size, the table."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import save_tiny_llama, write_text

from aretusa_compress.calr import comparison_run
from aretusa_compress.calr.__main__ import main
from aretusa_compress.calr.comparison import Comparison, recipe_for, runs_of
from aretusa_compress.calr.comparison_table import as_markdown, summarise
from aretusa_compress.calr.methods import Counts
from aretusa_compress.calr.significance import p_of_seeds, p_value
from aretusa_compress.errors import UsageError
from aretusa_compress.recipe.validate import validated

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1.0], 1.0),
        ([1.0, 1.0], 0.5),
        ([1.0] * 10, 2 / 1024),
        ([3.0, 1.0, -1.0], 0.75),  # |sum| of 8 ways: 3 5 1 3 | 3 5 1 3; 3 was seen
        ([0.0, 0.0], 1.0),
    ],
)
def test_the_exact_test_counts_signs(differences: list[float], expected: float) -> None:
    assert p_value(differences) == pytest.approx(expected)


@given(st.lists(st.integers(-5, 5), min_size=17, max_size=30))
def test_random_signs_say_what_counting_all_of_them_says(values: list[int]) -> None:
    ways = Counter({0: 1})  # how many ways to set the signs give each sum
    for value in values:
        following = Counter[int]()
        for total, count in ways.items():
            following[total + value] += count
            following[total - value] += count
        ways = following
    extreme = sum(n for total, n in ways.items() if abs(total) >= abs(sum(values)))
    exact = extreme / 2 ** len(values)
    assert p_value(list(map(float, values))) == pytest.approx(exact, abs=0.01)  # 6 deviations


def test_seeds_are_judged_by_a_t_test() -> None:
    # t = 2 / (1 / sqrt(3)) = 3.4641; with 2 degrees of freedom p = 1 - t / sqrt(2 + t^2)
    assert p_of_seeds([1.0, 2.0, 3.0]) == pytest.approx(1 - math.sqrt(12 / 14))
    assert p_of_seeds([-1.0, 1.0]) == pytest.approx(1.0)
    assert p_of_seeds([0.5]) is None
    assert p_of_seeds([0.5, 0.5, 0.5]) is None


def test_many_even_differences_are_no_chance() -> None:
    assert p_value([0.1, 0.2] * 20) < 1e-4
    assert p_value([0.1, -0.1] * 20) > 0.9


def document(folder: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    text = str(write_text(folder / "text.txt", words=1500))
    source = save_tiny_llama(folder / "model", num_hidden_layers=4)
    joint = {"steps": 6, "batch": 4, "accumulation": 1, "mixed_precision": False}
    return {
        "model": str(source),
        "data": {
            "calibration": {"files": [text], "tokens": 24, "samples": 6, "pick": "random"},
            "training": {"files": [text], "tokens": 24, "samples": 30},
            "evaluation": {"held": {"files": [text], "tokens": 24, "samples": 5}},
        },
        "fewer": [0.3],
        "seeds": [0, 1],
        "corrective": 2,
        "layer": {"steps": 10, "rows": 32},
        "joint": joint,
        "threads": 1,
    } | changes


def test_every_method_makes_a_model_of_the_asked_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ablations = {
        "no-branch": {"options": {"corrective": 0, "joint": None}},
        "no-branch-whitened": {"options": {"method": "whitened", "corrective": 0, "joint": None}},
        "svd-two": {"method": "svd", "matrices": ["up_proj", "down_proj"]},
    }
    asked = document(tmp_path, ablations=ablations, seeds=[0], truncation="kfac")
    (tmp_path / "comparison.yaml").write_text(yaml.safe_dump(asked))
    arguments = ["comparison", str(tmp_path / "comparison.yaml"), "-o", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [*arguments, "--quiet"])
    assert main() == 0
    table = capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    rows = {row["row"]: row for row in found["rows"]}
    assert len(rows) == 10
    for name, row in rows.items():
        slack = 0.12 if name in {"shortgpt", "laco"} else 0.01  # blocks go as a whole
        assert abs(row["gone"] - 0.3) < slack, name
        assert f"| {name} |" in table
    assert rows["calr"]["against_calr"] is None
    assert rows["svd"]["against_calr"]["windows"] == 5
    for truncation, alone in (("svd-kfac", "no-branch"), ("svd-whitened", "no-branch-whitened")):
        without = rows[alone]["texts"]["held"]["perplexity"]
        assert without == pytest.approx(rows[truncation]["texts"]["held"]["perplexity"], rel=1e-6)
    assert rows["svd-kfac"]["texts"] != rows["svd-whitened"]["texts"]
    assert rows["svd-two"]["texts"] != rows["svd"]["texts"]
    picture = (tmp_path / "out" / "comparison.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert not (tmp_path / "out" / "components").exists()
    assert not (tmp_path / "out" / "calr-30-0").exists()  # the result is kept, the model is not
    monkeypatch.setattr(comparison_run, "summarise", _same_as(found))
    monkeypatch.setattr(comparison_run, "run_recipe", _not_again)
    assert main() == 0


def _not_again(*_: Any, **__: Any) -> None:  # noqa: ANN401
    raise AssertionError("the result of the run is there")


def _same_as(expected: dict[str, Any]) -> Any:  # noqa: ANN401
    def check(rows: Any, original: Any, **named: Any) -> dict[str, Any]:  # noqa: ANN401
        again = summarise(rows, original, **named)
        assert again == expected
        return again

    return check


def test_a_comparison_needs_a_text_to_judge_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = document(tmp_path)
    del asked["data"]["evaluation"]
    (tmp_path / "comparison.yaml").write_text(yaml.safe_dump(asked))
    arguments = ["comparison", str(tmp_path / "comparison.yaml"), "-o", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    assert main() == 2
    assert "error[E0505]" in capsys.readouterr().err


def test_a_comparison_says_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: Any, **__: Any) -> None:  # noqa: ANN401
        raise KeyboardInterrupt

    (tmp_path / "comparison.yaml").write_text(yaml.safe_dump(document(tmp_path)))
    arguments = ["comparison", str(tmp_path / "comparison.yaml"), "-o", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(comparison_run, "run_recipe", stopped)
    assert main() == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_seeds_and_ablations_are_runs_of_their_own(tmp_path: Path) -> None:
    ablations = {"calr-qkv": {"matrices": ["mlp.*", "q_proj"], "options": {"spare": 1}}}
    asked = validated(
        Comparison, document(tmp_path, ablations=ablations, methods=["calr"]), file="test"
    )
    runs = runs_of(asked)
    assert [run.directory for run in runs] == [
        "calr-30-0",
        "calr-30-1",
        "calr-qkv-30-0",
        "calr-qkv-30-1",
    ]
    counts = Counts(total=1000, factored=600, block=150, blocks=4)
    stage = recipe_for(asked, runs[-1], counts).stages[0].options
    assert stage.matrices == ("mlp.*", "q_proj")  # type: ignore[attr-defined]
    assert stage.spare == 1  # type: ignore[attr-defined]
    assert stage.budget == pytest.approx(0.5)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("own", "expected"), [({}, 3e-4), ({"adapter_learning_rate": 0.002}, 0.002)]
)
def test_adapters_may_have_a_learning_rate_of_their_own(
    tmp_path: Path, own: dict[str, float], expected: float
) -> None:
    asked = Comparison.model_validate(document(tmp_path, methods=["shortgpt", "calr"], **own))
    counts = Counts(total=1000, factored=800, block=100, blocks=8)
    stages = {
        stage.name: stage.options
        for run in runs_of(asked)
        for stage in recipe_for(asked, run, counts).stages
    }
    assert stages["lora"].learning_rate == expected
    assert stages["calr"].joint.learning_rate == 3e-4


def test_more_than_there_is_cannot_go(tmp_path: Path) -> None:
    asked = validated(Comparison, document(tmp_path), file="test")
    counts = Counts(total=1000, factored=200, block=150, blocks=4)
    with pytest.raises(UsageError, match="30% of the parameters cannot go"):
        recipe_for(asked, runs_of(asked)[0], counts)


def test_windows_are_pairs_and_seeds_are_not() -> None:
    torch.manual_seed(0)
    rows = [
        {"row": name, "fewer": 0.3, "seed": seed, "gone": 0.3, "nats": {"t": nats}}
        for name, nats in (("calr", [1.0, 2.0, 3.0]), ("svd", [1.5, 2.5, 3.5]))
        for seed in range(4)
    ]
    found = summarise(rows, {"t": [0.0, 0.0, 0.0]}, device="cpu")
    against = found["rows"][1]["against_calr"]
    assert against == {
        "nats": pytest.approx(0.5),
        "p": pytest.approx(0.25),
        "windows": 3,
        "p_of_seeds": None,
    }


def test_all_shares_together_give_more_pairs() -> None:
    rows = [
        {"row": name, "fewer": fewer, "seed": seed, "gone": fewer, "nats": {"t": [nats]}}
        for fewer, more in ((0.3, 0.1), (0.5, 0.2))
        for name, nats in (("calr", 1.0), ("svd", 1.0 + more))
        for seed in range(2)
    ]
    found = summarise(rows, {"t": [0.0]}, device="cpu")
    expected = p_of_seeds([0.1, 0.1, 0.2, 0.2])
    assert found["overall"] == {
        "svd": {"nats": pytest.approx(0.15), "p_of_seeds": pytest.approx(expected), "pairs": 4}
    }
    table = as_markdown(found)
    assert "| svd | +0.1500 |" in table


def test_an_ablation_needs_a_name_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'svd' is a method"):
        validated(Comparison, document(tmp_path, ablations={"svd": {}}), file="test")
