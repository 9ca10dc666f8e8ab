"""The stage svd on tiny random models: what it stores computes what was decomposed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_networks import VOCABULARY, context_for, save_tiny_gpt_neo, save_tiny_llama, write_text

from aretusa_compress.depth.options import DepthOptions
from aretusa_compress.depth.stage import run as run_depth
from aretusa_compress.errors import UsageError
from aretusa_compress.model import forms
from aretusa_compress.model.load import load_model
from aretusa_compress.model.save import save_model
from aretusa_compress.svd.decompositions import Decomposer
from aretusa_compress.svd.options import SvdOptions
from aretusa_compress.svd.ranks import Size
from aretusa_compress.svd.stage import run

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.model.loaded import Model

IDS = torch.randint(0, VOCABULARY, (4, 30), generator=torch.Generator().manual_seed(3))


def texts(folder: Path) -> dict[str, Any]:
    text = write_text(folder / "text.txt", words=600)
    return {"calibration": {"files": [str(text)], "tokens": 30, "samples": 8}}


def logits(checkpoint: Path, *, decode: bool = False) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = load_model(checkpoint, decode=decode).network(input_ids=IDS).logits
    return found


def error(checkpoint: Path, original: Path, *, decode: bool = False) -> float:
    difference = logits(checkpoint, decode=decode) - logits(original)
    return float(difference.square().mean().sqrt())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny_llama(tmp_path / "model")


def test_the_plain_product_stands_in_the_files(tmp_path: Path, model: Path) -> None:
    context = context_for(tmp_path, model)
    options = SvdOptions(rank=5, method="plain", matrices=("k_proj",), dense=("1.*",))
    report = run(context, options)
    stored = load_file(context.output / "model.safetensors")
    before = load_file(model / "model.safetensors")
    name = "model.layers.2.self_attn.k_proj"
    product = stored[f"{name}.low_rank_out.weight"] @ stored[f"{name}.low_rank_in.weight"]
    left, values, right = torch.linalg.svd(before[f"{name}.weight"].double(), full_matrices=False)
    nearest = (left[:, :5] * values[:5]) @ right[:5]
    assert torch.allclose(product.double(), nearest, atol=1e-5)
    assert f"{name}.weight" not in stored
    assert torch.equal(
        stored["model.layers.1.self_attn.k_proj.weight"],
        before["model.layers.1.self_attn.k_proj.weight"],
    )
    assert sorted(report["matrices"]) == ["0.self_attn.k_proj", "2.self_attn.k_proj"]
    lost = float(values[5:].square().sum() / values.square().sum())
    assert report["matrices"]["2.self_attn.k_proj"]["lost"] == pytest.approx(lost, rel=1e-6)
    assert report["parameters_after"] == 2 * Size(16, 32).factored(5)


@pytest.mark.parametrize("method", ["whitened", "kfac"])
def test_runs_that_share_components_make_the_same_files(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    context = context_for(tmp_path, model, data=texts(tmp_path))
    alone = run(context, SvdOptions(budget=0.5, method=method))
    expected = (context.output / "model.safetensors").read_bytes()
    sharing = replace(context, shared=tmp_path / "shared")
    run(sharing, SvdOptions(budget=0.6, method=method))
    monkeypatch.setattr(Decomposer, "_decompose", None)  # all components are there
    assert run(sharing, SvdOptions(budget=0.5, method=method)) == alone
    assert (context.output / "model.safetensors").read_bytes() == expected
    with pytest.raises(TypeError, match="not callable"):  # other components are not these
        run(sharing, SvdOptions(budget=0.5, method=method, matrices=("mlp.*",)))


def test_the_largest_ranks_that_save_change_the_logits_little(tmp_path: Path, model: Path) -> None:
    data = texts(tmp_path)
    context = context_for(tmp_path, model, data)
    ranks = {name: Size(*shape).largest_rank for name, shape in _shapes(model).items()}
    run(context, SvdOptions(ranks=ranks))
    few = context_for(tmp_path / "few", model, data)
    run(few, SvdOptions(rank=2))
    assert error(context.output, model) < error(few.output, model)


def _shapes(model: Path) -> dict[str, tuple[int, int]]:
    network = load_model(model)
    return {
        name: network.blocks[0].get_submodule(name).weight.shape
        for name in network.anatomy.matrices
    }


def test_whitening_loses_less_of_the_outputs_that_texts_cause(tmp_path: Path, model: Path) -> None:
    data = texts(tmp_path)
    errors = {}
    for method in ("plain", "whitened"):
        context = context_for(tmp_path / method, model, data)
        run(context, SvdOptions(rank=8, method=method, matrices=("0.mlp.up_proj",)))
        windows = context.texts.windows("calibration", model)
        changed, exact = load_model(context.output), load_model(model)
        inputs = _inputs(exact, windows)
        with torch.no_grad():
            expected = exact.blocks[0].mlp.up_proj(inputs)
            found = changed.blocks[0].mlp.up_proj(inputs)
        errors[method] = float((found - expected).square().sum())
        if method == "whitened":
            report = run(context, SvdOptions(rank=8, matrices=("0.mlp.up_proj",)))
            lost = report["matrices"]["0.mlp.up_proj"]["lost"]
            share = errors[method] / float(expected.square().sum())
            assert lost == pytest.approx(share, rel=1e-3)  # the promise of whitening
    assert errors["whitened"] < errors["plain"]


def _inputs(model: Model, windows: torch.Tensor) -> torch.Tensor:
    """What up_proj of the first block reads."""
    seen: list[torch.Tensor] = []
    model.blocks[0].mlp.up_proj.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        model.network(input_ids=windows)
    return seen[0]


def test_kfac_loses_what_the_gradients_of_the_loss_say(tmp_path: Path, model: Path) -> None:
    context = context_for(tmp_path, model, texts(tmp_path))
    windows = context.texts.windows("calibration", model)
    report = run(context, SvdOptions(rank=8, method="kfac", matrices=("0.mlp.up_proj",)))
    exact, changed = load_model(model), load_model(context.output)
    inputs = _inputs(exact, windows).flatten(0, 1).double()
    outputs: list[torch.Tensor] = []
    layer = exact.blocks[0].mlp.up_proj
    layer.register_forward_hook(lambda _layer, _given, found: outputs.append(found))
    gradients = []
    for window in windows:
        loss = exact.network(input_ids=window[None], labels=window[None]).loss
        gradients.append(torch.autograd.grad(loss, outputs[-1])[0].flatten(0, 1).double())
    gradient = torch.cat(gradients)

    def change(matrix: torch.Tensor) -> float:
        moment = inputs.T @ inputs / len(inputs)
        return float((matrix.T @ (gradient.T @ gradient) @ matrix @ moment).trace())

    with torch.no_grad():
        basis = torch.eye(layer.in_features)
        product = changed.blocks[0].mlp.up_proj(basis).T.double()
        weight = layer.weight.double()
    lost = report["matrices"]["0.mlp.up_proj"]["lost"]
    assert lost == pytest.approx(change(weight - product) / change(weight), rel=1e-3)


def test_a_budget_for_kfac_spends_on_what_moves_the_loss(tmp_path: Path, model: Path) -> None:
    data = texts(tmp_path)
    context = context_for(tmp_path, model, data)
    report = run(context, SvdOptions(budget=0.5, method="kfac"))
    assert report["parameters_after"] <= 0.5 * report["parameters_before"]
    again = context_for(tmp_path / "again", model, data)
    assert run(again, SvdOptions(budget=0.5, method="kfac", weigh="output")) == report
    other = context_for(tmp_path / "other", model, data)
    assert run(other, SvdOptions(budget=0.5, method="whitened")) != report


@pytest.mark.parametrize("method", ["plain", "whitened", "kfac"])
@pytest.mark.parametrize("bits", [4, 8])
def test_codes_stand_for_nearly_the_same_factors(
    tmp_path: Path, model: Path, method: str, bits: int
) -> None:
    data = texts(tmp_path)
    context = context_for(tmp_path / "codes", model, data)
    run(context, SvdOptions(rank=8, method=method, bits=bits))
    floats = context_for(tmp_path / "floats", model, data)
    run(floats, SvdOptions(rank=8, method=method))
    stored = load_file(context.output / "model.safetensors")
    codes = {name: value for name, value in stored.items() if name.endswith(".codes")}
    assert len(codes) == 3 * 7 * 2
    assert all(value.dtype == torch.int8 for value in codes.values())
    assert max(int(value.abs().max()) for value in codes.values()) <= 1 << (bits - 1)
    own = load_model(context.output, decode=True).config["aretusa"]
    assert own["bits"] == {name.removesuffix(".codes"): bits for name in codes}
    difference = logits(context.output, decode=True) - logits(floats.output)
    relative = float(difference.square().mean().sqrt() / logits(model).std())
    assert relative < {4: 1.0, 8: 0.1}[bits]  # 16 times finer steps


def test_a_budget_is_kept_and_spent_by_all_ways_to_weigh(tmp_path: Path, model: Path) -> None:
    data = texts(tmp_path)
    spent = set()
    for weigh in ("output", "relative", "loss"):
        context = context_for(tmp_path / weigh, model, data)
        report = run(context, SvdOptions(budget=0.5, weigh=weigh))
        after = report["parameters_after"]
        before = report["parameters_before"]
        assert 0.5 * before - Size(48, 32).factored(1) < after <= 0.5 * before
        stored = load_file(context.output / "model.safetensors")
        in_blocks = [value for name, value in stored.items() if "proj" in name]
        assert sum(value.numel() for value in in_blocks) == after
        spent.add(tuple(one["rank"] for one in report["matrices"].values()))
    assert len(spent) == 3  # they do not agree


def test_a_killed_stage_goes_on_with_the_blocks_it_has(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = texts(tmp_path)
    whole = context_for(tmp_path / "whole", model, data)
    run(whole, SvdOptions(budget=0.5))
    killed = context_for(tmp_path / "killed", model, data)
    done: list[int] = []
    real = Decomposer._decompose

    def dies(self: Decomposer, block: int, moments: dict[str, torch.Tensor]) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(block)
        real(self, block, moments)

    with monkeypatch.context() as patched:
        patched.setattr(Decomposer, "_decompose", dies)
        with pytest.raises(KeyboardInterrupt):
            run(killed, SvdOptions(budget=0.5))
    done.clear()
    with monkeypatch.context() as patched:
        patched.setattr(Decomposer, "_decompose", dies)
        run(killed, SvdOptions(budget=0.5))
    assert done == [2]
    name = "model.safetensors"
    assert (killed.output / name).read_bytes() == (whole.output / name).read_bytes()


def test_the_published_policy_on_gpt_neo(tmp_path: Path) -> None:
    """K projections at one rank but for one block; all else dense."""
    model = save_tiny_gpt_neo(tmp_path / "model")
    context = context_for(tmp_path, model, texts(tmp_path))
    run(context, SvdOptions(matrices=("k_proj",), dense=("1.*",), rank=12, bits=8))
    stored = load_file(context.output / "model.safetensors")
    assert stored["transformer.h.0.attn.attention.k_proj.low_rank_in.codes"].shape == (12, 32)
    assert "transformer.h.1.attn.attention.k_proj.weight" in stored
    assert torch.isfinite(logits(context.output, decode=True)).all()


def test_biases_stay(tmp_path: Path) -> None:
    model = save_tiny_gpt_neo(tmp_path / "model")
    context = context_for(tmp_path, model)
    report = run(context, SvdOptions(matrices=("mlp.c_fc",), rank=25, method="plain"))
    assert report["matrices"]["0.mlp.c_fc"]["rank"] == 25
    found = load_file(context.output / "model.safetensors")["transformer.h.0.mlp.c_fc.bias"]
    assert found.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"matrices": ("k_porj",), "rank": 4}, "no matrix is called 'k_porj'"),
        ({"dense": ("*",), "rank": 4}, "no matrix is left to factor"),
        ({"budget": 0.01, "weigh": "output"}, "a budget of 0.01 is too small"),
        ({"ranks": {"q_porj": 3}}, "ranks names 'q_porj'"),
    ],
)
def test_what_does_not_suit_the_model_is_said(
    tmp_path: Path, model: Path, options: dict[str, Any], message: str
) -> None:
    context = context_for(tmp_path, model)
    with pytest.raises(UsageError, match=message) as caught:
        run(context, SvdOptions(method="plain", **options))
    assert caught.value.code == "E0508"


def test_factors_are_not_factored_again(tmp_path: Path, model: Path) -> None:
    first = context_for(tmp_path / "first", model)
    run(first, SvdOptions(rank=4, method="plain", matrices=("k_proj",)))
    second = context_for(tmp_path / "second", first.output)
    with pytest.raises(UsageError, match=r"model\.layers\.0\.self_attn\.k_proj is no single"):
        run(second, SvdOptions(rank=4, method="plain"))


def test_an_adapter_is_not_lost(tmp_path: Path, model: Path) -> None:
    network = load_model(model)
    forms.adapt(network.network, "model.layers.0.self_attn.k_proj", 2)
    save_model(network, model, tmp_path / "adapted")
    context = context_for(tmp_path, tmp_path / "adapted")
    with pytest.raises(UsageError, match="put an adapter beside it"):
        run(context, SvdOptions(rank=4, method="plain"))


def test_factors_have_no_pattern_of_zeros(tmp_path: Path, model: Path) -> None:
    names = [f"model.layers.{block}.self_attn.k_proj" for block in range(2)]
    network = load_model(model)
    save_model(network, model, tmp_path / "pruned", {"sparsity": dict.fromkeys(names, "2:4")})
    context = context_for(tmp_path, tmp_path / "pruned")
    run(context, SvdOptions(rank=4, method="plain", matrices=("0.*",)))
    own = load_model(context.output).config["aretusa"]
    assert own["sparsity"] == {names[1]: "2:4"}
    assert own["ranks"][names[0]] == 4


def test_blocks_that_share_weights_share_factors(tmp_path: Path, model: Path) -> None:
    depth = context_for(tmp_path / "depth", model)
    run_depth(depth, DepthOptions(map=(0, 1, 1, 2)))
    context = context_for(tmp_path / "svd", depth.output, texts(tmp_path))
    report = run(context, SvdOptions(share=0.5))
    assert len(report["matrices"]) == 3 * 7
    found = load_model(context.output)
    assert found.layer_map == [0, 1, 1, 2]
    first, second = (found.blocks[i].mlp.up_proj.low_rank_in.weight for i in (1, 2))
    assert first is second


def test_one_amount_is_asked_for() -> None:
    for wrong in ({}, {"rank": 4, "share": 0.5}, {"budget": 0.5, "rank": 3}):
        with pytest.raises(ValueError, match="exactly one of rank, share and budget"):
            SvdOptions.model_validate(wrong)
