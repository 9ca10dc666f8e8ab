"""GPT-Neo, whose parts have names of their own, through load, blocks and save."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_networks import VOCABULARY, save_tiny_gpt_neo, write_text
from torch.nn.functional import cross_entropy

from aretusa_compress.errors import UsageError
from aretusa_compress.model import forms
from aretusa_compress.model.blocks import mean_nats
from aretusa_compress.model.load import load_model
from aretusa_compress.model.save import save_model
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.run.memory import Shape
from aretusa_compress.run.runner import run_recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_tiny_gpt_neo(tmp_path / "model")


def test_blocks_one_by_one_give_what_the_network_gives(checkpoint: Path) -> None:
    model = load_model(checkpoint)
    ids = torch.randint(0, VOCABULARY, (3, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = model.network(input_ids=ids).logits
    whole = cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    assert mean_nats(model, ids) == pytest.approx(float(whole), rel=1e-5)


def test_a_saved_model_loads_as_it_was_with_factors_and_biases(
    checkpoint: Path, tmp_path: Path
) -> None:
    model = load_model(checkpoint)
    layer = forms.factor(model.network, "transformer.h.1.mlp.c_fc", 4)
    save_model(model, checkpoint, tmp_path / "saved")
    again = load_model(tmp_path / "saved")
    ids = torch.arange(20)[None] % VOCABULARY
    with torch.no_grad():
        expected, found = (one.network(input_ids=ids).logits for one in (model, again))
    assert torch.equal(expected, found)
    assert layer.bias.abs().sum() > 0
    assert again.config["aretusa"]["ranks"] == {"transformer.h.1.mlp.c_fc": 4}


def test_masks_that_old_files_hold_are_left_out(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    tensors = load_file(path)
    mask = torch.ones(1, 1, 128, 128, dtype=torch.bool)
    tensors |= {f"transformer.h.{block}.attn.attention.bias": mask.clone() for block in range(2)}
    tensors["transformer.h.0.attn.attention.masked_bias"] = torch.tensor(-1e9)
    save_file(tensors, path, metadata={"format": "pt"})
    assert len(load_model(checkpoint).blocks) == 2


def test_its_shape_is_read_from_its_own_keys(checkpoint: Path) -> None:
    shape = Shape.of(load_model(checkpoint).config)
    assert (shape.layers, shape.hidden, shape.ffn, shape.has_own_head) == (2, 32, 128, False)


def test_a_stage_that_knows_other_names_refuses_it(checkpoint: Path, tmp_path: Path) -> None:
    text = write_text(tmp_path / "text.txt", words=200)
    recipe = {
        "model": str(checkpoint),
        "stages": [{"width": {"pattern": "2:4"}}],
        "data": {"calibration": {"files": [str(text)], "tokens": 32}},
    }
    with pytest.raises(UsageError, match="cannot change models of type gpt_neo"):
        run_recipe(parse_recipe(recipe, "test"), tmp_path / "run")
