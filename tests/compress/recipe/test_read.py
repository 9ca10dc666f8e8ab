"""Recipes are checked to the last key, and wrong ones say what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from aretusa_compress.depth.options import DepthOptions, Importance
from aretusa_compress.errors import UsageError
from aretusa_compress.lora.options import LoraOptions
from aretusa_compress.recipe.presets import PRESETS
from aretusa_compress.recipe.read import parse_recipe, read_recipe
from aretusa_compress.width.options import WidthOptions

TEXT = {"files": ["a.txt"]}


def recipe(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"model": "m", "stages": [{"depth": {"remove": 2}}], **changes}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"sead": 1}, "unknown key sead, did you mean 'seed'?"),
        ({"zzz": 1}, "unknown key zzz, known: data, device, dtype"),
        ({"data": {"calibraton": TEXT}}, "data.calibraton, did you mean 'calibration'?"),
        ({"data": {"calibration": {**TEXT, "sample": 1}}}, "did you mean 'samples'?"),
        ({"data": {"evaluation": {"n": {**TEXT, "tokns": 1}}}}, "did you mean 'tokens'?"),
        ({"data": {"training": {**TEXT, "kind": "questions", "open_bok": 1}}}, "'open_book'?"),
        ({"data": {"calibration": {"hub": {"nam": "x"}}}}, "did you mean 'name'?"),
        ({"data": {"calibration": {**TEXT, "stand_in": "sotu"}}}, "exactly one of files"),
        ({"data": {"calibration": {"stand_in": "sotuu"}}}, "'sotu'"),
        ({"seed": -1}, "seed: input should be greater than or equal to 0"),
        ({"dtype": "int8"}, "dtype: input should be 'auto'"),
        ({"model": ""}, "model: "),
        ({"stages": {"depth": {}}}, "stages is missing or no list"),
        ({"stages": [{"dept": {}}]}, "unknown stage 'dept', did you mean 'depth'?"),
        ({"stages": [{"depth": {}, "width": {}}]}, "stage 1 is no mapping from one name"),
        ({"stages": [3]}, "stage 1 is no mapping from one name"),
        ({"stages": [{"depth": {"remoev": 1}}]}, "stages[1].depth.remoev, did you mean 'remove'?"),
        ({"stages": [{"depth": {}}]}, "exactly one of remove, blocks and map"),
        ({"stages": [{"depth": {"blocks": [1, 1]}}]}, "names a block twice"),
        ({"stages": [{"depth": {"remove": 0}}]}, "stages[1].depth.remove"),
        ({"stages": ["depth", {"width": {"pattern": "4:2"}}]}, "exactly one of remove"),
        ({"stages": [{"width": {"pattern": "4:2"}}]}, "'4:2' is no pattern N:M"),
        ({"stages": [{"width": {"pattern": 124}}]}, "stages[1].width.pattern"),
        ({"stages": [{"width": {"pattern": "2:4", "sparsity": 0.5}}]}, "exactly one of pattern"),
        ({"stages": [{"width": {"pattern": "2:4", "matrices": ["lm_head"]}}]}, "q_proj"),
        ({"stages": [{"lora": {"rank": 8}}]}, "exactly one of steps and epochs"),
        ({"stages": [{"lora": {"steps": 1, "dropout": 1.0}}]}, "stages[1].lora.dropout"),
    ],
)
def test_wrong_recipes_name_the_key_and_what_is_right(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_recipe(recipe(**changes), "r.yaml")
    assert caught.value.code == "E0501"
    assert part in caught.value.what
    assert caught.value.file == "r.yaml"


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse_recipe(recipe(a1=1, b2=2, c3=3, d4=4, e5=5), "r.yaml")
    assert "a1" in caught.value.what
    assert "c3" in caught.value.what
    assert caught.value.what.endswith("; and 2 more")


def test_a_recipe_without_a_model_says_so() -> None:
    with pytest.raises(UsageError, match="model is missing"):
        parse_recipe({"stages": []}, "r.yaml")


def test_a_file_is_read_with_the_options_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "model: m\nstages:\n- depth: {remove: 2, importance: taylor}\n- width: {pattern: 2:4}\n"
        "- lora: {epochs: 2, learning_rate: 1e-4}\ndata:\n  calibration: {files: [a.txt]}\n"
    )
    found = read_recipe(str(path))
    depth, width, lora = (stage.options for stage in found.stages)
    assert isinstance(depth, DepthOptions)
    assert depth.importance is Importance.TAYLOR
    assert (depth.protect_first, depth.protect_last) == (4, 2)
    assert isinstance(width, WidthOptions)
    assert width.pattern == "2:4"
    assert isinstance(lora, LoraOptions)
    assert lora.learning_rate == 1e-4
    assert (lora.rank, lora.dropout) == (8, 0.1)
    assert found.stage_names == ["1-depth", "2-width", "3-lora"]


def test_single_values_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("model: m\nstages: [{depth: {remove: 2}}]\n")
    changes = ["model=other/model", "stages.1.remove=3", "data.calibration.files=[x.txt]", "seed=7"]
    found = read_recipe(str(path), changes)
    assert (found.model, found.seed) == ("other/model", 7)
    assert isinstance(found.stages[0].options, DepthOptions)
    assert found.stages[0].options.remove == 3
    assert found.data.calibration is not None
    assert found.data.calibration.files == (Path("x.txt"),)


@pytest.mark.parametrize("change", ["seed", "=1", "stages.9.remove=1", "model.x=1", "stages=1.x"])
def test_changes_that_lead_nowhere_are_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("model: m\nstages: [{depth: {remove: 2}}]\n")
    with pytest.raises(UsageError):
        read_recipe(str(path), [change])


def test_a_missing_file_and_an_unknown_preset_are_told_apart() -> None:
    with pytest.raises(UsageError, match="E0001"):
        read_recipe("nowhere.yaml")
    with pytest.raises(UsageError, match=r"did you mean 'llama-3\.2-1b/depth2'"):
        read_recipe("llama-3.2-1b/depht2")


def test_every_preset_is_a_sound_recipe_that_reads_back_as_itself() -> None:
    for name in PRESETS:
        found = read_recipe(name)
        again = yaml.safe_load(yaml.safe_dump(found.document()))
        assert parse_recipe(again, name) == found, name


def test_the_published_configurations_are_all_there() -> None:
    published = [name for name in PRESETS if name.startswith("llama-3.2-1b/")]
    pruned = [name for name in published if "-lora" not in name]
    recovered = [n for n in published if n.endswith("-lora")]
    assert len(pruned) == 45  # rows of the table of pruned models
    assert len(recovered) == 34  # rows with LoRA and neither GPTQ nor EoRA
    assert "llama-3.2-1b/depth2-wanda1:8" in pruned
    assert "llama-3.2-1b/depth4-wanda4:8-triviaqa-lora" in recovered
    found = read_recipe("llama-3.2-1b/depth2-wanda1:8-wikitext-lora")
    assert found.model == "meta-llama/Llama-3.2-1B-Instruct"
    assert found.stage_names == ["1-depth", "2-width", "3-lora"]
    assert read_recipe("llama-3.2-1b/baseline").model == "meta-llama/Llama-3.2-1B"
