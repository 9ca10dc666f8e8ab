"""The stage fit on a tiny random model: what it writes, which budgets it keeps, what it refuses."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import digests, tiny_document, write_tiny

from aretusa_compress.errors import ToolchainError, UsageError
from aretusa_compress.fit import chip, losses, search, stage
from aretusa_compress.fit.budget import Quantity
from aretusa_compress.fit.recipe import fit_recipe
from aretusa_compress.model.load import load_model
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.run.runner import run_recipe

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS = 2
QUICK: dict[str, Any] = {"samples": 1, "swaps": 2, "front": 0, "widths": [2, 4, 8], "chunk": 1}


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all the rest; one test does it."""
    if "pictures" not in request.node.name:
        monkeypatch.setattr(stage, "can_draw", lambda: False)


def fit(folder: Path, *budgets: str, **options: Any) -> tuple[Path, dict[str, Any]]:  # noqa: ANN401
    """Run the stage alone; its checkpoint and its report."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "model").exists():
        write_tiny(folder / "model", layers=BLOCKS)
    asked = {"fit": {"budgets": list(budgets), **QUICK, **options}}
    recipe = parse_recipe(tiny_document(folder, [asked]), "tiny")
    run_recipe(recipe, folder / "run")
    output = folder / "run" / "1-fit"
    return output, json.loads((output / "fit.json").read_text())


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def stored_bits(checkpoint: Path) -> float:
    """Mean bits of a weight, counted in the files."""
    bits = json.loads((checkpoint / "config.json").read_text())["aretusa"]["bits"]
    codes = {
        name.removesuffix(".codes"): value
        for name, value in load_file(checkpoint / "model.safetensors").items()
        if name.endswith(".codes")
    }
    assert codes.keys() == bits.keys()
    for name, value in codes.items():
        assert int(value.min()) >= -(1 << (bits[name] - 1))
        assert int(value.max()) < 1 << (bits[name] - 1)
    return sum(bits[n] * v.numel() for n, v in codes.items()) / sum(
        value.numel() for value in codes.values()
    )


def test_bits_stay_within_their_budget_and_beat_equal_widths(tmp_path: Path) -> None:
    output, document = fit(tmp_path, "bits<=4", front=1)
    assert stored_bits(output) <= 4
    assert stored_bits(output) == pytest.approx(document["predicted"]["bits"])
    by_name = {point["name"]: point for point in document["points"]}
    alone = by_name["chosen, each rounded alone"]
    assert alone["kl"] <= by_name["all w4"]["kl"]
    assert document["swaps"]["after"] <= document["swaps"]["before"]
    assert document["program"]["bound"] <= document["program"]["objective"]
    assert document["program"]["gap"] < 1e-3


def test_bytes_are_those_that_the_simulator_says_of_the_checkpoint(tmp_path: Path) -> None:
    _, document = fit(tmp_path / "first", "mram=1MiB", front=1)
    sizes = {p["name"]: p["mram"] for p in document["points"] if p["kind"] == "uniform"}
    limit = (sizes["all w4"] + sizes["all w2"]) // 2
    output, document = fit(tmp_path / "second", f"mram<={limit}B")
    assert document["simulated"]["mram"] <= limit
    assert document["simulated"]["mram"] > 0.9 * limit
    priced = list(
        chip._answers(_priced_by_the_worker(tmp_path, output))  # the files themselves
    )
    assert sum(priced[0]["constant_bytes"].values()) == document["simulated"]["mram"]


def _priced_by_the_worker(folder: Path, checkpoint: Path) -> list[str]:
    job = {"target": "siracusa", "chunk": 1, "prefill_tokens": 64, "decode_tokens": 8}
    (folder / "job.json").write_text(json.dumps({**job, "models": [str(checkpoint)]}))
    return [sys.executable, "-m", "aretusa_sim.weight_prices", str(folder / "job.json")]


def test_two_budgets_hold_together(tmp_path: Path) -> None:
    _, free = fit(tmp_path / "free", "bits<=8", front=1)
    best = max(p["tokens_per_s"] for p in free["points"] if p["tokens_per_s"])
    wanted = 0.5 * (best + free["simulated"]["tokens_per_s"])
    _, document = fit(tmp_path / "both", f"tokens_per_s>={wanted}", "bits<=6")
    assert document["simulated"]["tokens_per_s"] >= wanted
    assert document["simulated"]["bits"] <= 6


@pytest.mark.parametrize(("slower", "is_met"), [(1.002, True), (2.0, False)])
def test_a_whole_model_that_costs_more_than_the_sum_is_chosen_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slower: float, *, is_met: bool
) -> None:
    _, free = fit(tmp_path / "free", "bits<=8", front=1)
    speeds = [point["tokens_per_s"] for point in free["points"] if point["tokens_per_s"]]
    wanted = 0.7 * min(speeds) + 0.3 * max(speeds)
    real = search.simulated

    def costlier(answer: Any, bits: float) -> dict[Quantity, float]:  # noqa: ANN401
        values = real(answer, bits)
        assert values is not None
        return values | {Quantity.TOKENS_PER_S: values[Quantity.TOKENS_PER_S] / slower}

    monkeypatch.setattr(search, "simulated", costlier)
    if not is_met:
        with pytest.raises(UsageError, match="E0540"):
            fit(tmp_path / "tight", f"tokens_per_s>={wanted}", "bits<=8")
        return
    _, document = fit(tmp_path / "tight", f"tokens_per_s>={wanted}", "bits<=8")
    assert document["simulated"]["tokens_per_s"] >= wanted
    assert document["missed"] == {}


def test_a_budget_that_is_never_met_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = search.simulated

    def always_one_short(answer: Any, bits: float) -> dict[Quantity, float]:  # noqa: ANN401
        values = real(answer, bits)
        assert values is not None
        return values | {Quantity.MRAM: 1e6 + 1}

    monkeypatch.setattr(search, "simulated", always_one_short)
    _, document = fit(tmp_path, "mram<=1000000B", "bits<=4")
    assert document["missed"] == {"mram": pytest.approx(1.000001)}
    assert document["corrections"] == search._CORRECTIONS


def test_what_cannot_be_met_says_by_how_much_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(stage, "_bench")
    with pytest.raises(UsageError, match=r"E0540.*the nearest is 2 bits, 1 away.*bits<=2.002"):
        fit(tmp_path / "bits", "bits<=1")
    with pytest.raises(UsageError, match=r"E0540.*bytes,.*--budget 'mram=\d+B'"):
        fit(tmp_path / "bytes", "mram=1kB")
    with pytest.raises(UsageError, match=r"E0540.*tokens/s"):
        fit(tmp_path / "speed", "tokens_per_s>=1000000")


def test_the_budget_that_the_error_names_fits(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        fit(tmp_path, "mram=1kB")
    budget = str(caught.value).partition("--budget '")[2].partition("'")[0]
    _, document = fit(tmp_path, budget)
    assert document["simulated"]["mram"] <= int(budget.removeprefix("mram=").removesuffix("B"))


def test_a_killed_run_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(tmp_path / "whole", "bits<=4")
    measured = []
    one = losses.Sensitivities._one

    def interrupted(self: losses.Sensitivities, *given: Any) -> Any:  # noqa: ANN401
        if len(measured) == 10:
            raise KeyboardInterrupt
        measured.append(given)
        return one(self, *given)

    monkeypatch.setattr(losses.Sensitivities, "_one", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "killed", "bits<=4")
    monkeypatch.setattr(losses.Sensitivities, "_one", one)
    fit(tmp_path / "killed", "bits<=4")
    assert digests(tmp_path / "killed" / "run") == digests(tmp_path / "whole" / "run")


def test_another_budget_measures_nothing_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(tmp_path / "fresh", "bits<=6")
    fit(tmp_path / "again", "bits<=4")
    monkeypatch.delattr(losses.Sensitivities, "_one")
    fit(tmp_path / "again", "bits<=6")
    assert digests(tmp_path / "again" / "run") == digests(tmp_path / "fresh" / "run")


def test_factors_and_dropped_blocks_are_offered(tmp_path: Path) -> None:
    output, document = fit(
        tmp_path, "bits<=1.5", shares=[0.25, 0.5], widths=[2, 4], drop=1, front=0
    )
    assert document["predicted"]["bits"] <= 1.5
    config = json.loads((output / "config.json").read_text())
    assert config["num_hidden_layers"] == BLOCKS - len(document["dropped"])
    model = load_model(output, dtype=torch.float32, decode=True)
    assert len(model.blocks) == config["num_hidden_layers"]
    factored = [name for name, form in document["choice"].items() if form.startswith("r")]
    assert factored or document["dropped"]
    assert len(config["aretusa"].get("ranks", {})) == len(factored)


def test_tables_pictures_and_policy_say_what_was_chosen(tmp_path: Path) -> None:
    output, document = fit(tmp_path, "bits<=4", front=1)
    assert (output / "fit.png").is_file() == stage.can_draw()
    rows = rows_of(output / "fit-losses.csv")
    assert {row["matrix"]: row["chosen"] for row in rows} == document["choice"]
    policy = (output / "policy.toml").read_text()
    for name, form in document["choice"].items():
        assert f'match = "{name}.weight"\nweights = "{form}"' in policy
    points = rows_of(output / "fit.csv")
    assert [point["name"] for point in points] == [p["name"] for p in document["points"]]
    assert all(point["name"] in (output / "fit.md").read_text() for point in points)
    assert {quantity.value for quantity in Quantity} <= points[0].keys()


def test_widths_that_are_not_measured_follow_from_those_that_are(tmp_path: Path) -> None:
    _, _ = fit(tmp_path / "all", "bits<=4")
    _, document = fit(tmp_path / "one", "bits<=4", measured=[4])
    assert document["predicted"]["bits"] <= 4
    every, scaled = (
        rows_of(tmp_path / n / "run" / "1-fit" / "fit-losses.csv") for n in ("all", "one")
    )
    for exact, guess in zip(every, scaled, strict=True):
        assert float(guess["w4"]) == float(exact["w4"])
        assert float(guess["w2"]) > float(guess["w4"]) > float(guess["w8"])


def test_gradients_stand_for_blocks_that_are_not_measured(tmp_path: Path) -> None:
    every, _ = fit(tmp_path / "every", "bits<=4", measured=[2, 4])
    some, document = fit(tmp_path / "some", "bits<=4", measured=[2, 4], probes=1)
    assert document["predicted"]["bits"] <= 4
    exact, guessed = rows_of(every / "fit-losses.csv"), rows_of(some / "fit-losses.csv")
    same = [a["w2"] == b["w2"] for a, b in zip(exact, guessed, strict=True)]
    assert sum(same) == 9, "embedding, head and the matrices of one block are measured"
    for one, other in zip(exact, guessed, strict=True):
        assert 1 / 30 < float(other["w2"]) / float(one["w2"]) < 30


def test_what_the_simulator_says_reaches_the_user(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"E0541.*no-such-chip"):
        fit(tmp_path, "mram=1MiB", target="no-such-chip")


def test_too_few_windows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"E0508.*4 windows of calibration text are too few"):
        fit(tmp_path, "bits<=4", samples=4)


def test_fit_comes_behind_the_stages_of_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("model: m\nstages:\n- depth: {remove: 1}\ndata: {calibration: {files: [t]}}\n")
    recipe = fit_recipe(str(path), "siracusa", "ppl", ["bits<=5"], ["stages.2.swaps=3"])
    assert recipe.stage_names == ["1-depth", "2-fit"]
    assert recipe.document()["stages"][1]["fit"]["swaps"] == 3
    alone = fit_recipe("some-model", "siracusa", "kl", ["mram=4MiB"])
    assert alone.model == "some-model"
    assert alone.stage_names == ["1-fit"]


@pytest.mark.parametrize(
    ("objective", "budgets", "part"),
    [
        ("best", ["bits<=5"], "no objective"),
        ("kl", [], "needs a budget"),
        ("kl", ["x"], "no budget"),
    ],
)
def test_slips_on_the_command_line_are_named(objective: str, budgets: list[str], part: str) -> None:
    with pytest.raises(UsageError, match=f"E0003.*{part}"):
        fit_recipe("some-model", "siracusa", objective, budgets)
