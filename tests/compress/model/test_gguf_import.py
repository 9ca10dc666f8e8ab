"""A GGUF file becomes a checkpoint, without a word of the libraries that read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gguf
import pytest
import torch
import tqdm.auto  # as a library does that is loaded before the command hides its bars
from checkpoints import random_tensors
from safetensors.torch import load_file
from tiny_models import runnable_config, write_gguf_model
from tiny_runs import write_text

from aretusa.cli import main
from aretusa.errors import ExitCode
from aretusa.frontend.llama_config import Family
from aretusa_compress.errors import ModelError
from aretusa_compress.model.gguf_import import import_gguf
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.run.determinism import hide_bars
from aretusa_compress.run.runner import run_recipe

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def test_a_gguf_file_is_converted_and_only_the_document_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_gguf_model(tmp_path / "tiny.gguf", runnable_config(layers=2))
    text = write_text(tmp_path / "text.txt")
    recipe = {
        "model": str(file),
        "threads": 1,
        "device": "cpu",
        "stages": [],
        "data": {"evaluation": {"words": {"files": [str(text)], "samples": 1, "tokens": 16}}},
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    output = tmp_path / "run"
    done = main(["compress", str(tmp_path / "recipe.yaml"), "-o", str(output), "--json"])
    printed = capsys.readouterr()
    assert done == ExitCode.OK, printed.out
    assert printed.err == ""
    (model,) = json.loads(printed.out)["stages"]
    assert model["blocks"] == 2
    assert model["evaluation"][0]["perplexity"] > 1


@pytest.mark.parametrize("family", [Family.LLAMA, Family.QWEN2, Family.QWEN3])
def test_weights_are_the_numbers_that_codes_stand_for(tmp_path: Path, family: Family) -> None:
    config = runnable_config(family, layers=2)
    file = write_gguf_model(tmp_path / "tiny.gguf", config)
    recipe = parse_recipe({"model": str(file), "stages": [], "device": "cpu"}, "tiny")
    run_recipe(recipe, tmp_path / "run")
    found = load_file(tmp_path / "run" / "0-model" / "model.safetensors")
    for name, values in random_tensors(config, seed=0).items():
        expected = values if values.ndim == 1 else rounded(values)
        assert torch.equal(found[name].float(), torch.from_numpy(expected)), name


def test_tensors_that_contradict_the_header_are_a_coded_error(tmp_path: Path) -> None:
    config = runnable_config(layers=1)
    tensors = random_tensors(config, seed=0)
    name = "model.layers.0.mlp.up_proj.weight"
    tensors[name] = tensors[name][:64]
    file = write_gguf_model(tmp_path / "tiny.gguf", config, tensors=tensors)
    recipe = parse_recipe({"model": str(file), "stages": [], "device": "cpu"}, "tiny")
    with pytest.raises(ModelError, match="E0130"):
        run_recipe(recipe, tmp_path / "run")


@pytest.mark.parametrize("left", [0, 3, 200, 2000, -7])
def test_files_that_were_cut_are_a_coded_error(tmp_path: Path, left: int) -> None:
    file = write_gguf_model(tmp_path / "tiny.gguf", runnable_config(layers=1))
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(ModelError, match="E0130"):
        import_gguf(file, tmp_path / "model")


def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is left of a matrix in blocks of 8 bits."""
    codes = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
    found = gguf.quants.dequantize(codes, gguf.GGMLQuantizationType.Q8_0)
    return found.reshape(values.shape).astype(values.dtype)


@pytest.mark.parametrize("tqdm", [tqdm.std.tqdm, tqdm.auto.tqdm])
def test_bars_of_libraries_are_hidden_however_often_that_is_asked_for(
    tqdm: Any,  # noqa: ANN401
    capsys: pytest.CaptureFixture[str],
) -> None:
    hide_bars()
    hide_bars()
    assert list(tqdm(range(3), desc="loud")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
