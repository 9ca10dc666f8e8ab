"""The stage sensitivity on tiny random models."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny_networks import context_for, save_tiny_gpt_neo, save_tiny_llama, write_text

from aretusa_compress.errors import UsageError
from aretusa_compress.model.load import load_model
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.run.runner import run_recipe
from aretusa_compress.sensitivity import measure
from aretusa_compress.sensitivity.divergence import Divergence, divergence
from aretusa_compress.sensitivity.options import SensitivityOptions
from aretusa_compress.sensitivity.pillars import rank_correlation
from aretusa_compress.sensitivity.stage import run
from aretusa_compress.svd.options import SvdOptions
from aretusa_compress.svd.stage import run as run_svd

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.run.context import StageContext

SAMPLES = 2


def texts(folder: Path) -> dict[str, Any]:
    text = write_text(folder / "text.txt", words=400)
    return {"calibration": {"files": [str(text)], "tokens": 24, "samples": 8}}


def options(**changes: Any) -> SensitivityOptions:  # noqa: ANN401
    settings: dict[str, Any] = {
        "rank": 6,
        "samples": SAMPLES,
        "prompts": 2,
        "prompt": 4,
        "generate": 12,
        "matrices": ["self_attn.*"],
    }
    return SensitivityOptions.model_validate(settings | changes)


def document(context: StageContext) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((context.output / "sensitivity.json").read_text())
    return found


def kl(changed: Path, original: Path, windows: torch.Tensor) -> float:
    """Of whole networks, not block by block."""
    found, expected = load_model(changed), load_model(original)
    total = 0.0
    for ids in windows:
        with torch.no_grad():
            after, before = (
                one.network(input_ids=ids[None]).logits[0] for one in (found, expected)
            )
        total += divergence(before[:-1], after[:-1], ids[1:]).kl
    return total / len(windows)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny_llama(tmp_path / "model")


@pytest.mark.parametrize("unit", ["matrix", "block"])
def test_every_number_is_that_of_a_checkpoint_made_so(
    tmp_path: Path, model: Path, unit: str
) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    run(context, options(unit=unit, method="plain"))
    windows = context.texts.windows("calibration", model)[-SAMPLES:]
    found = document(context)
    chosen = "1.self_attn.k_proj" if unit == "matrix" else "1.*"
    row = next(one for one in found["units"] if one["unit"] == chosen)
    asked = {
        "everything": {},
        "given_back": {"dense": (chosen,)},
        "alone": {"matrices": ("1.self_attn.*" if unit == "block" else chosen,)},
    }
    for name, changes in asked.items():
        made = context_for(tmp_path / name, model)
        given = {"rank": 6, "method": "plain", "matrices": ("self_attn.*",)}
        run_svd(made, SvdOptions.model_validate(given | changes))
        expected = kl(made.output, model, windows)
        measured = found["everything"] if name == "everything" else row[name]
        assert measured["kl"] == pytest.approx(expected, rel=1e-3)


def test_a_planted_pillar_is_found_and_stays_dense(tmp_path: Path, model: Path) -> None:
    """Weights of low rank lose nothing; one matrix is left at full rank."""
    path = model / "model.safetensors"
    tensors = load_file(path)
    pillar = "model.layers.1.self_attn.o_proj.weight"
    for name, value in tensors.items():
        if "self_attn" in name and name != pillar:
            left, values, right = torch.linalg.svd(value, full_matrices=False)
            values[4:] *= 1e-3
            tensors[name] = left @ torch.diag(values) @ right
    save_file(tensors, path, metadata={"format": "pt"})
    context = context_for(tmp_path, model, texts(tmp_path))
    report = run(context, options(bits=8, pillars={"at_most": 1}))
    assert report["pillars"] == ["1.self_attn.o_proj"]
    stored = load_file(context.output / "model.safetensors")
    assert pillar in stored
    assert "model.layers.1.self_attn.k_proj.low_rank_in.codes" in stored
    found = document(context)
    row = next(one for one in found["units"] if one["is_pillar"])
    others = [one["effective_rank"] for one in found["units"] if not one["is_pillar"]]
    assert row["effective_rank"] > max(others)  # what distinguishes it here
    assert row["given_back"]["kl"] < 0.2 * found["everything"]["kl"]
    assert row["alone"]["kl"] > 0.5 * found["everything"]["kl"]


def test_the_policy_is_a_recipe_that_makes_the_same_model(tmp_path: Path, model: Path) -> None:
    data = texts(tmp_path)
    context = context_for(tmp_path, model, data)
    run(context, options(method="plain", pillars={"threshold": 0.5, "at_most": 2}))
    fragment = yaml.safe_load((context.output / "policy.yaml").read_text())
    dense = fragment["stages"][0]["svd"]["dense"]
    assert dense == document(context)["pillars"]
    assert 0 < len(dense) <= 2
    recipe = {"model": str(model), "dtype": "float32", "threads": 1, **fragment}
    result = run_recipe(parse_recipe(recipe, "policy"), tmp_path / "run")
    made = tmp_path / "run" / "1-svd" / "model.safetensors"
    assert made.read_bytes() == (context.output / "model.safetensors").read_bytes()
    assert result.stages[-1].report["parameters_after"] < result.stages[0].parameters


def test_tables_have_all_units(tmp_path: Path, model: Path) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    run(context, options(unit="matrix"))
    rows = list(csv.DictReader((context.output / "sensitivity.csv").read_text().splitlines()))
    assert [row["unit"] for row in rows] == [one["unit"] for one in document(context)["units"]]
    assert len(rows) == 12
    assert all(0.0 <= float(row["given_back_repetition"]) <= 1.0 for row in rows)
    table = (context.output / "sensitivity.md").read_text()
    assert table.count("\n| 0.self_attn.q_proj |") + table.count("**0.self_attn.q_proj**") >= 1
    assert "| everything truncated |" in table
    found = document(context)
    lost = [one["lost"] for one in found["units"]]
    expected = rank_correlation([one["gain"] for one in found["units"]], lost)
    assert found["correlations"]["lost"] == expected
    assert f"with energy lost {expected:+.2f}" in table


def test_a_killed_analysis_measures_nothing_twice(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = texts(tmp_path)
    whole = context_for(tmp_path / "whole", model, data)
    run(whole, options())
    killed = context_for(tmp_path / "killed", model, data)
    real, calls = divergence, 0

    def dies(*given: torch.Tensor) -> Divergence:
        nonlocal calls
        calls += 1
        if calls == limit:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(measure, "divergence", dies)
    limit = 30
    with pytest.raises(KeyboardInterrupt):
        run(killed, options())
    before, calls, limit = calls, 0, -1
    run(killed, options())
    # The original is measured again; of a block that was being measured so are its four matrices.
    assert calls < 2 * (1 + 2 * 12 + 1) - before + SAMPLES + 5
    assert document(killed) == document(whole)


def test_gpt_neo_too(tmp_path: Path) -> None:
    model = save_tiny_gpt_neo(tmp_path / "model")
    context = context_for(tmp_path, model, texts(tmp_path))
    report = run(context, options(matrices=["k_proj"]))
    assert {one["unit"] for one in document(context)["units"]} == {
        "0.attn.attention.k_proj",
        "1.attn.attention.k_proj",
    }
    assert report["everything"]["kl"] > 0


def test_texts_continue_as_the_library_continues_them(model: Path) -> None:
    network = load_model(model)
    prompts = torch.tensor([[5, 9, 2, 7], [1, 1, 3, 60]])
    expected = network.network.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        max_new_tokens=10,
        min_new_tokens=10,
        do_sample=False,
        pad_token_id=0,
        eos_token_id=-1,
    )
    assert measure.continued(network, prompts, 10) == expected[:, 4:].tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 8}, "8 windows of calibration text are too few"),
        ({"prompt": 25}, "a prompt of 25 tokens is longer than a window"),
        ({"rank": 30}, "no matrix gets smaller"),
    ],
)
def test_what_cannot_be_measured_is_said(
    tmp_path: Path, model: Path, changes: dict[str, Any], message: str
) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    with pytest.raises(UsageError, match=message):
        run(context, options(**changes))


def test_pillars_by_repetition_need_texts() -> None:
    with pytest.raises(ValueError, match="pillars by repetition need generate"):
        options(generate=0, pillars={"by": "repetition"})
