"""The stages calr and losparse on tiny random models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_networks import context_for, save_tiny_gpt_neo, save_tiny_llama, write_text

from aretusa_compress.calr import layers, losparse
from aretusa_compress.calr.options import CalrOptions, LosparseOptions
from aretusa_compress.calr.stage import run
from aretusa_compress.errors import UsageError
from aretusa_compress.model.load import load_model
from aretusa_compress.svd.options import SvdOptions
from aretusa_compress.svd.stage import run as run_svd
from aretusa_compress.training import distilling

if TYPE_CHECKING:
    from pathlib import Path

JOINT = {
    "steps": 12,
    "batch": 4,
    "accumulation": 1,
    "learning_rate": 1e-2,
    "mixed_precision": False,
    "save_every": 4,
}
LAYER = {"steps": 60, "rows": 64, "learning_rate": 5e-3}


def texts(folder: Path) -> dict[str, Any]:
    text = str(write_text(folder / "text.txt", words=1200))
    return {
        "calibration": {"files": [text], "tokens": 24, "samples": 8},
        "training": {"files": [text], "tokens": 24, "samples": 40},
    }


def options(**changes: Any) -> CalrOptions:  # noqa: ANN401
    return CalrOptions.model_validate({"share": 0.5, "corrective": 4, "layer": LAYER} | changes)


def divergence(checkpoint: Path, original: Path, ids: torch.Tensor) -> float:
    objective = distilling.divergence_from(load_model(original).network)
    with torch.no_grad():
        return float(objective(load_model(checkpoint).network, ids, ids)) / ids[:, 1:].numel()


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoint / "model.safetensors")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny_llama(tmp_path / "model")


def test_without_training_it_is_truncation(tmp_path: Path, model: Path) -> None:
    data = texts(tmp_path)
    calr = context_for(tmp_path / "calr", model, data)
    run(calr, options(layer={"steps": 0}))
    svd = context_for(tmp_path / "svd", model, data)
    run_svd(svd, SvdOptions(share=0.5, method="kfac", matrices=("mlp.*",)))
    expected, found = weights(svd.output), weights(calr.output)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_training_layers_brings_them_nearer_to_the_original(tmp_path: Path, model: Path) -> None:
    data = texts(tmp_path)
    context = context_for(tmp_path, model, data)
    report = run(context, options())
    assert set(report["layers"]) == {"0.mlp", "1.mlp", "2.mlp"}
    assert all(one["after"] < 0.97 * one["before"] for one in report["layers"].values())
    plain = context_for(tmp_path / "plain", model, data)
    run(plain, options(layer={"steps": 0}))
    assert {k: v.shape for k, v in weights(context.output).items()} == {
        k: v.shape for k, v in weights(plain.output).items()
    }  # the same parameters


def test_the_layer_error_is_that_of_the_checkpoint(tmp_path: Path, model: Path) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    report = run(context, options(start="zero"))
    found, original = load_model(context.output), load_model(model)
    seen: list[torch.Tensor] = []
    original.blocks[1].mlp.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    windows = context.texts.windows("calibration", model)
    with torch.no_grad():
        original.network(input_ids=windows)
        expected = original.blocks[1].mlp(seen[0])
        difference = found.blocks[1].mlp(seen[0]) - expected
    error = float(difference.square().mean() / expected.square().mean())
    assert report["layers"]["1.mlp"]["after"] == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("goal", ["kl", "text"])
def test_joint_training_lowers_its_goal(tmp_path: Path, model: Path, goal: str) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    report = run(context, options(joint={**JOINT, "goal": goal}))
    losses = report["losses"]
    assert len(losses) == 12
    assert sum(losses[-3:]) < sum(losses[:3])


def test_corrected_models_are_nearer_than_truncated_ones(tmp_path: Path, model: Path) -> None:
    data = texts(tmp_path)
    found = {}
    for name, changes in {
        "truncated": {"corrective": 0},
        "corrected": {"joint": JOINT},
        "all factors": {"joint": {**JOINT, "factors": True}},
    }.items():
        context = context_for(tmp_path / name, model, data)
        run(context, options(**changes))
        ids = context.texts.windows("training", model)
        found[name] = divergence(context.output, model, ids)
    assert found["corrected"] < found["truncated"]
    assert found["all factors"] < found["truncated"]


def test_the_most_sensitive_blocks_are_spared(tmp_path: Path, model: Path) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    report = run(context, options(spare=1, layer={"steps": 0}))
    alone = report["divergence_alone"]
    worst = max(alone, key=lambda block: alone[block])
    assert report["spared"] == [int(worst)]
    stored = weights(context.output)
    assert f"model.layers.{worst}.mlp.up_proj.weight" in stored
    others = {"0", "1", "2"} - {worst}
    assert all(f"model.layers.{i}.mlp.up_proj.low_rank_in.weight" in stored for i in others)


def test_a_budget_pays_for_the_spared_blocks(tmp_path: Path, model: Path) -> None:
    data = texts(tmp_path)
    after = []
    for spare in (0, 1):
        context = context_for(tmp_path / str(spare), model, data)
        changes = {"share": None, "budget": 0.6, "spare": spare, "layer": {"steps": 0}}
        report = run(context, options(**changes))
        assert report["parameters_after"] <= 0.6 * report["parameters_before"]
        after.append(report["parameters_after"])
    assert abs(after[0] - after[1]) < 200


def test_attention_is_an_option(tmp_path: Path, model: Path) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    names = ["mlp.*", "q_proj", "k_proj", "v_proj"]
    report = run(context, options(matrices=names, start="zero"))
    assert "0.self_attn.q_proj" in report["layers"]
    assert all(one["after"] < one["before"] for one in report["layers"].values())


def test_codes_and_gpt_neo(tmp_path: Path) -> None:
    model = save_tiny_gpt_neo(tmp_path / "model")
    context = context_for(tmp_path, model, texts(tmp_path))
    report = run(context, options(bits=8, joint=JOINT))
    assert set(report["layers"]) == {"0.mlp", "1.mlp"}
    stored = weights(context.output)
    assert stored["transformer.h.1.mlp.c_fc.low_rank_out.codes"].dtype == torch.int8


@pytest.mark.parametrize("when", ["layers", "joint"])
def test_a_killed_stage_ends_with_the_same_bytes(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    data = texts(tmp_path)
    whole = context_for(tmp_path / "whole", model, data)
    run(whole, options(joint=JOINT))
    killed = context_for(tmp_path / "killed", model, data)
    left = 2 if when == "layers" else 6
    module, name = (layers.LayerTraining, "_layer") if when == "layers" else (distilling, "kl_div")
    real = getattr(module, name)

    def dies(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(module, name, dies)
        with pytest.raises(KeyboardInterrupt):
            run(killed, options(joint=JOINT))
    run(killed, options(joint=JOINT))
    file = "model.safetensors"
    assert (killed.output / file).read_bytes() == (whole.output / file).read_bytes()


def test_low_rank_plus_sparse_keeps_its_share_and_learns(tmp_path: Path, model: Path) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    chosen = LosparseOptions.model_validate({"keep": 0.5, "joint": {**JOINT, "steps": 30}})
    report = losparse.run(context, chosen)
    assert report["parameters_after"] <= 0.5 * report["parameters_before"]
    stored = weights(context.output)
    name = "model.layers.1.mlp.up_proj"
    columns = report["matrices"]["1.mlp.up_proj"]["columns"]
    assert int(stored[f"{name}.weight"].abs().sum(dim=0).count_nonzero()) == columns
    assert (
        stored[f"{name}.adapter_in.weight"].shape[0] == report["matrices"]["1.mlp.up_proj"]["rank"]
    )
    losses = report["losses"]
    assert sum(losses[-3:]) < sum(losses[20:23])  # the last columns went at update 21
    ids = context.texts.windows("training", model)
    assert divergence(context.output, model, ids) < max(losses)


def test_sparse_training_goes_on_where_it_was_killed(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = texts(tmp_path)
    chosen = LosparseOptions.model_validate({"keep": 0.5, "joint": JOINT})
    whole = context_for(tmp_path / "whole", model, data)
    losparse.run(whole, chosen)
    killed = context_for(tmp_path / "killed", model, data)
    real, left = losparse.columns_at, 9 * 6

    def dies(*given: Any) -> int:  # noqa: ANN401
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(*given)

    with monkeypatch.context() as patched:
        patched.setattr(losparse, "columns_at", dies)
        with pytest.raises(KeyboardInterrupt):
            losparse.run(killed, chosen)
    losparse.run(killed, chosen)
    file = "model.safetensors"
    assert (killed.output / file).read_bytes() == (whole.output / file).read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spare": 3}, "3 blocks cannot be spared"),
        ({"corrective": 0, "joint": JOINT}, "there is nothing to train jointly"),
        ({"matrices": ["mlp.fc1"]}, "no matrix is called 'mlp.fc1'"),
    ],
)
def test_what_does_not_suit_the_model_is_said(
    tmp_path: Path, model: Path, changes: dict[str, Any], message: str
) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    with pytest.raises(UsageError, match=message) as caught:
        run(context, options(**changes))
    assert caught.value.code == "E0508"
