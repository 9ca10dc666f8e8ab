"""Rotations: orthogonal to the last digits, and the same model before anything is rounded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import runnable_config, write_model
from tiny_runs import load_tiny, tiny_document, write_tiny

from aretusa.frontend.llama_config import Family
from aretusa_compress.errors import UsageError
from aretusa_compress.model.load import load_model
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.rotations.orthogonal import hadamard, orthogonal
from aretusa_compress.rotations.rotate import rotate_residual, rotate_values
from aretusa_compress.run.runner import run_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.model.loaded import Model

# Binary32 weights are rounded once more; logits of these models are of the order of 1.
LOGIT_TOLERANCE = 2e-4


def logits(model: Model) -> torch.Tensor:
    ids = torch.randint(3, 260, (2, 24), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        found: torch.Tensor = model.network(input_ids=ids).logits
    return found


@pytest.mark.parametrize("size", [1, 2, 4, 12, 20, 28, 36, 64, 252, 576])
def test_hadamard_matrices_have_rows_at_right_angles(size: int) -> None:
    found = hadamard(size)
    assert found is not None
    assert set(found.flatten().tolist()) <= {1.0, -1.0}
    assert torch.equal(found @ found.T, size * torch.eye(size, dtype=torch.float64))


@pytest.mark.parametrize("size", [6, 28, 92, 576])
def test_every_size_has_an_orthogonal_matrix(size: int) -> None:
    turn = orthogonal(size, 3)
    assert torch.allclose(turn @ turn.T, torch.eye(size, dtype=torch.float64), atol=1e-12)
    assert torch.equal(turn, orthogonal(size, 3))
    assert not torch.equal(turn, orthogonal(size, 4))


def test_sizes_without_a_construction_are_known() -> None:
    assert hadamard(92) is None  # 91 and 45 are no primes: Paley gives none
    assert hadamard(6) is None


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("tied", [True, False])
def test_a_rotated_network_says_the_same(tmp_path: Path, family: Family, *, tied: bool) -> None:
    config = runnable_config(family, layers=2, ties_embeddings=tied)
    model = load_model(write_model(tmp_path / "model", config, dtype="float32"))
    with torch.no_grad():  # gains other than 1, or folding them would prove nothing
        for name, parameter in model.network.named_parameters():
            if "norm" in name:
                parameter.mul_(torch.linspace(0.5, 2, parameter.numel()))
    before = logits(model)
    first = model.network.get_parameter("model.layers.0.mlp.up_proj.weight").clone()
    rotate_residual(model, orthogonal(model.network.config.hidden_size, 0))
    width = model.network.get_submodule("model.layers.0.self_attn").head_dim
    rotate_values(model, orthogonal(width, 1))
    assert torch.allclose(logits(model), before, atol=LOGIT_TOLERANCE)
    after = model.network.get_parameter("model.layers.0.mlp.up_proj.weight")
    assert not torch.allclose(after, first, atol=0.01)
    assert set(model.norm.weight.tolist()) == {1.0}


def test_a_turn_that_is_not_orthogonal_would_be_noticed(tmp_path: Path) -> None:
    model = load_tiny(tmp_path / "model", layers=1)
    before = logits(model)
    rotate_residual(model, 1.1 * orthogonal(64, 0))
    assert not torch.allclose(logits(model), before, atol=LOGIT_TOLERANCE)


def rotated(folder: Path, **options: object) -> tuple[Path, dict[str, object]]:
    folder.mkdir(exist_ok=True)
    if not (folder / "model").exists():
        write_tiny(folder / "model", layers=2)
    recipe = parse_recipe(tiny_document(folder, [{"rotate": options}]), "tiny")
    result = run_recipe(recipe, folder / "run")
    return folder / "run" / "1-rotate", result.stages[1].report


def test_a_rotated_checkpoint_has_a_head_of_its_own_and_no_gains(tmp_path: Path) -> None:
    output, report = rotated(tmp_path, candidates=["both"])
    assert report["chosen"] == "both"
    assert json.loads((output / "config.json").read_text())["tie_word_embeddings"] is False
    tensors = load_file(output / "model.safetensors")
    assert "lm_head.weight" in tensors
    assert set(tensors["model.layers.0.input_layernorm.weight"].tolist()) == {1.0}
    before = logits(load_model(tmp_path / "model", dtype=torch.float32))
    assert torch.allclose(logits(load_model(output)), before, atol=LOGIT_TOLERANCE)


def test_the_candidate_that_measures_best_is_kept(tmp_path: Path) -> None:
    _, report = rotated(tmp_path, candidates=["none", "values"], bits=2, samples=1)
    measured = report["measured"]
    assert isinstance(measured, dict)
    assert measured.keys() == {"none", "values"}
    assert report["chosen"] == min(measured, key=lambda name: measured[name]["kl"])


def test_zeros_of_a_pattern_are_not_filled(tmp_path: Path) -> None:
    write_tiny(tmp_path / "model", layers=2)
    stages = [{"width": {"pattern": "2:4"}}, {"rotate": {"candidates": ["values"]}}]
    recipe = parse_recipe(tiny_document(tmp_path, stages), "tiny")
    with pytest.raises(UsageError, match=r"E0508.*zeros of pruned matrices"):
        run_recipe(recipe, tmp_path / "run")
