"""The stage awq: scales change nothing in float, and bring what is rounded nearer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import runnable_config, write_model
from tiny_runs import WIDTH, digests, load_tiny, tiny_recipe, windows

from aretusa.frontend.llama_config import Family
from aretusa_compress.awq import blocks as awq_blocks
from aretusa_compress.awq.blocks import scale_blocks
from aretusa_compress.awq.folding import PLACES, Place, fold, shared_by_heads
from aretusa_compress.awq.options import AwqOptions, Store
from aretusa_compress.awq.search import choose, scales_for
from aretusa_compress.errors import CompressError, NumericsError
from aretusa_compress.model import forms
from aretusa_compress.model.blocks import enter, mean_nats, run_blocks
from aretusa_compress.model.load import load_model
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.run.runner import run_recipe
from aretusa_compress.run.state import StageState
from aretusa_compress.solvers.gptq import output_error
from aretusa_compress.solvers.grid import Codes, round_to_grid, weighted_scales
from aretusa_compress.solvers.moments import Moments

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.model.loaded import Model

# Two binary32 roundings of each weight and input, along five blocks.
FLOAT_NOISE = 2e-5


def hidden(model: Model, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        entry = enter(model, ids)
        return run_blocks(model.blocks, entry.hidden, entry.arguments)


def random_moments(depth: int, strengths: torch.Tensor) -> Moments:
    seen = Moments(depth=depth)
    generator = torch.Generator().manual_seed(3)
    seen.add(torch.randn(512, depth, generator=generator) * strengths)
    return seen


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.giver)
@pytest.mark.parametrize("family", list(Family))
def test_folded_scales_change_nothing_in_float(
    tmp_path: Path,
    place: Place,
    family: Family,
) -> None:
    config = runnable_config(family, layers=3)
    model = load_model(write_model(tmp_path, config, dtype="float32"))
    with torch.no_grad():
        for name, value in model.network.named_parameters():
            if name.endswith("v_proj.bias"):
                value.normal_()
    ids = windows(2)
    before = hidden(model, ids)
    block: Any = model.blocks[1]
    layer = block.get_submodule(place.readers[0])
    changed = layer.weight.detach().clone()
    raw = torch.rand(layer.in_features, generator=torch.Generator().manual_seed(1)) * 8 + 0.1
    fold(block, place, shared_by_heads(block, place, raw))
    assert not torch.equal(layer.weight, changed)
    torch.testing.assert_close(hidden(model, ids), before, rtol=FLOAT_NOISE, atol=FLOAT_NOISE)


def test_branches_are_scaled_with_their_matrix(tmp_path: Path) -> None:
    model = load_tiny(tmp_path)
    for name in ("mlp.up_proj", "mlp.down_proj", "self_attn.v_proj"):
        forms.adapt(model.network, f"model.layers.2.{name}", 4)
    ids = windows(2)
    before = hidden(model, ids)
    for place in PLACES:
        layer: Any = model.blocks[2].get_submodule(place.readers[0])
        raw = torch.rand(layer.in_features, generator=torch.Generator().manual_seed(1)) + 0.1
        fold(model.blocks[2], place, shared_by_heads(model.blocks[2], place, raw))
    torch.testing.assert_close(hidden(model, ids), before, rtol=FLOAT_NOISE, atol=FLOAT_NOISE)


def test_scales_are_balanced_and_bounded() -> None:
    magnitudes = torch.tensor([0.0, 1.0, 4.0, 1000.0], dtype=torch.float64)
    scales = scales_for(magnitudes, 0.5)
    assert float(scales.max() * scales.min()) == pytest.approx(1)
    assert float(scales[2] / scales[1]) == pytest.approx(2)
    assert bool(torch.isfinite(scales).all())
    assert bool((scales_for(magnitudes, 0.0) == 1).all())
    assert bool((scales_for(torch.zeros(4, dtype=torch.float64), 0.5) == 1).all())


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_strong_inputs_are_rounded_finely(bits: int) -> None:
    strengths = torch.ones(64)
    strengths[::16] = 20.0
    seen = random_moments(64, strengths)
    weight = torch.randn(48, 64, generator=torch.Generator().manual_seed(7))
    choice = choose([weight], seen.mean, seen.magnitudes, bits=bits, points=20)
    assert choice.exponent > 0
    assert choice.error < 0.9 * choice.plain_error

    # The same by hand, with the finer clips that codes get: scaled against plain.
    scales = scales_for(seen.magnitudes, choice.exponent).double()
    errors = []
    for factor in (scales, torch.ones(64, dtype=torch.float64)):
        scaled = weight.double() * factor
        steps = weighted_scales(scaled, seen.mean.diagonal() / factor.square(), bits)
        value = Codes(
            codes=round_to_grid(scaled, steps, bits).to(torch.int8), scales=steps, bits=bits
        ).dequantise()
        errors.append(float(output_error(weight.double(), value / factor, seen.mean).sum()))
    assert errors[0] < 0.95 * errors[1]


def test_even_inputs_are_left_alone() -> None:
    seen = Moments(depth=32)
    seen.add(torch.eye(32))
    weight = torch.randn(16, 32, generator=torch.Generator().manual_seed(7))
    choice = choose([weight], seen.mean, seen.magnitudes, bits=4, points=20)
    assert (choice.exponent, choice.error) == (0.0, choice.plain_error)


def outliers(model: Model) -> None:
    """Let some values of every norm be strong, as in large models, and what reads them weak."""
    with torch.no_grad():
        for block in model.blocks:
            block.post_attention_layernorm.weight[::8] *= 30  # type: ignore[index, operator]


def run(folder: Path, stages: list[Any]) -> Path:
    run_recipe(tiny_recipe(folder, stages), folder / "run")
    return folder / "run"


def test_codes_and_scaled_norms_are_written(tmp_path: Path) -> None:
    directory = run(tmp_path, [{"awq": {"bits": 5, "points": 4}}])
    tensors = load_file(directory / "1-awq" / "model.safetensors")
    config = json.loads((directory / "1-awq" / "config.json").read_text())
    for block in range(5):
        for matrix in MATRICES:
            name = f"model.layers.{block}.{matrix}"
            assert config["aretusa"]["bits"][name] == 5
            assert tensors[f"{name}.codes"].dtype == torch.int8
            assert int(tensors[f"{name}.codes"].min()) >= -16
            assert int(tensors[f"{name}.codes"].max()) <= 15
            assert f"{name}.weight" not in tensors
    report = json.loads((directory / "1-awq" / "stage.json").read_text())["report"]
    assert {len(values) for values in report["exponents"].values()} == {5}
    assert 0 < report["error_share"] <= 1


def test_scaling_brings_a_model_with_strong_inputs_nearer(tmp_path: Path) -> None:
    ids = windows(3)
    errors = {}
    for points in (1, 10):
        exact = load_tiny(tmp_path / str(points))
        outliers(exact)
        before = hidden(exact, ids)
        state = StageState(tmp_path / f"state{points}", "one")
        options = AwqOptions(bits=4, points=points)
        found = scale_blocks(exact, ids, options, state, progress=lambda: None)
        torch.testing.assert_close(hidden(exact, ids), before, rtol=1e-3, atol=1e-3)
        with torch.no_grad():
            for name, codes in found.codes.items():
                exact.network.get_submodule(name).weight.copy_(codes.dequantise())
        errors[points] = float((hidden(exact, ids) - before).norm() / before.norm())
    assert errors[10] < 0.95 * errors[1]


def test_a_float_model_is_scaled_for_the_stages_behind(tmp_path: Path) -> None:
    stages = [{"awq": {"store": "float", "points": 6}}, {"gptq": {"group": "channel", "bits": 3}}]
    directory = run(tmp_path, [*stages, {"eora": {"rank": 8, "samples": 4}}])
    ids = windows(2)
    plain = mean_nats(load_model(tmp_path / "model"), ids)
    scaled = mean_nats(load_model(directory / "1-awq"), ids)
    assert scaled == pytest.approx(plain, rel=FLOAT_NOISE)
    assert "aretusa" not in json.loads((directory / "1-awq" / "config.json").read_text())
    original, coded, repaired = (
        hidden(load_model(directory / name, decode=True), ids)
        for name in ("1-awq", "2-gptq", "3-eora")
    )
    assert float((repaired - original).norm()) < float((coded - original).norm())


def test_pruned_weights_stay_zero(tmp_path: Path) -> None:
    directory = run(tmp_path, [WIDTH, {"awq": {"points": 4}}])
    pruned = load_file(directory / "1-width" / "model.safetensors")
    coded = load_file(directory / "2-awq" / "model.safetensors")
    for name in ("model.layers.1.mlp.up_proj", "model.layers.0.self_attn.o_proj"):
        assert bool((coded[f"{name}.codes"][pruned[f"{name}.weight"] == 0] == 0).all())


def test_a_stage_that_begins_again_searches_only_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [{"awq": {"points": 4}}]
    expected = digests(run(tmp_path / "whole", stages))
    whole, calls = choose, [0]

    def stopping(*given: Any, **options: Any) -> Any:  # noqa: ANN401
        calls[0] += 1
        if calls[0] == 11:  # in the third of five blocks, four choices each
            raise KeyboardInterrupt
        return whole(*given, **options)

    monkeypatch.setattr(awq_blocks, "choose", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stages)
    run(tmp_path / "cut", stages)
    assert calls[0] == 11 + 3 * 4
    model = {name: value for name, value in expected.items() if "stage.json" not in name}
    assert model.items() <= digests(tmp_path / "cut" / "run").items()


def test_a_changed_option_runs_the_stage_again(tmp_path: Path) -> None:
    run(tmp_path, [{"awq": {"points": 2}}])
    same = run_recipe(tiny_recipe(tmp_path, [{"awq": {"points": 2}}]), tmp_path / "run")
    other = run_recipe(tiny_recipe(tmp_path, [{"awq": {"points": 3}}]), tmp_path / "run")
    assert [same.stages[1].reused, other.stages[1].reused] == [True, False]


def test_branches_behind_rounded_scales_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CompressError, match=r"E0508.*awq scaled.*store: float"):
        run(tmp_path, [{"awq": {"points": 2}}, {"eora": {"rank": 2, "samples": 2}}])


def test_products_of_two_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CompressError, match=r"E0508.*products of two"):
        run(tmp_path, [{"svd": {"rank": 4}}, {"awq": {"points": 2}}])


def test_inputs_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = load_tiny(tmp_path / "model")
    with torch.no_grad():
        model.blocks[1].input_layernorm.weight[3] = float("nan")  # type: ignore[index, operator]
    state = StageState(tmp_path / "state", "one")
    with pytest.raises(NumericsError, match=r"E0530.*block 1"):
        scale_blocks(model, windows(1), AwqOptions(store=Store.FLOAT), state, progress=lambda: None)
