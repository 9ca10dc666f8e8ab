"""Every family and Llama 3.2's own architecture go through the stages, and on to the compiler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from tiny_models import runnable_config, write_model
from tiny_runs import DEPTH, LORA, WIDTH, tiny_recipe, write_text

from aretusa.driver import compile_model
from aretusa.frontend.llama_config import Family, Llama3RopeScaling
from aretusa.options import CompileOptions
from aretusa_compress.recipe.read import read_recipe
from aretusa_compress.run.runner import run_recipe

if TYPE_CHECKING:
    from pathlib import Path

CHANNEL: Final = {"gptq": {"group": "channel", "bits": 5}}
BRANCHES: Final = {"eora": {"rank": 4, "samples": 2}}


@pytest.mark.parametrize("family", list(Family))
def test_every_family_goes_through_all_stages(tmp_path: Path, family: Family) -> None:
    config = runnable_config(family, layers=4)
    write_model(tmp_path / "model", config, dtype="bfloat16")
    recipe = tiny_recipe(tmp_path, [DEPTH, LORA, WIDTH, CHANNEL, BRANCHES])
    result = run_recipe(recipe, tmp_path / "run")
    assert [stage.blocks for stage in result.stages] == [4, 3, 3, 3, 3, 3]
    for name in recipe.stage_names:
        check_compiles(tmp_path / "run" / name, tmp_path / f"build-{name}")


@pytest.mark.slow
@pytest.mark.parametrize("family", [Family.QWEN2, Family.QWEN3])
def test_the_library_quantises_other_families(tmp_path: Path, family: Family) -> None:
    config = runnable_config(family, layers=3)
    write_model(tmp_path / "model", config, dtype="bfloat16")
    stages = [{"gptq": {"group": 32}}, BRANCHES]
    run_recipe(tiny_recipe(tmp_path, stages), tmp_path / "run")
    check_compiles(tmp_path / "run" / "2-eora", tmp_path / "build")


def check_compiles(checkpoint: Path, build: Path) -> None:
    compiled = compile_model(checkpoint, build, CompileOptions(context=32, chunk=4))
    assert compiled.manifest.model.layers == 3


def shrunk_llama(folder: Path) -> list[str]:
    """Sixteen blocks, four queries to a key, tied embeddings, Llama 3's angles; 64 wide.

    Returns the changes of a preset that let it run on this model and a text.
    """
    scaling = Llama3RopeScaling(
        factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_positions=64
    )
    config = runnable_config(
        layers=16, heads=8, kv_heads=2, head_dim=8, ties_embeddings=True, rope_scaling=scaling
    )
    write_model(folder / "model", config, dtype="bfloat16")
    files = f"{{files: [{write_text(folder / 'text.txt')}], samples: 8, tokens: 16}}"
    changes = [f"model={folder / 'model'}", "threads=1", "data.evaluation={}"]
    return [*changes, f"data.calibration={files}", f"data.training={files}", "stages.3.batch=2"]


@pytest.mark.slow
def test_all_five_published_stages_run_on_llama_3_2_shrunk_in_width(tmp_path: Path) -> None:
    changes = [*shrunk_llama(tmp_path), "stages.5.rank=4"]
    recipe = read_recipe("llama-3.2-1b/depth2-wanda1:8-wikitext-lora-gptq-eora", changes)
    result = run_recipe(recipe, tmp_path / "run")
    assert [stage.name for stage in result.stages][1:] == recipe.stage_names
    config = json.loads((tmp_path / "run" / "5-eora" / "config.json").read_text())
    assert config["quantization_config"]["group_size"] == 128
    assert len(config["aretusa"]["adapters"]) == len(config["aretusa"]["sparsity"]) == 14 * 7
    options = CompileOptions(context=32, chunk=4)
    compiled = compile_model(tmp_path / "run" / "5-eora", tmp_path / "build", options)
    assert compiled.manifest.model.layers == 14


def test_the_published_preset_runs_on_llama_3_2_shrunk_in_width(tmp_path: Path) -> None:
    changes = shrunk_llama(tmp_path)
    recipe = read_recipe("llama-3.2-1b/depth2-wanda1:8-wikitext-lora", changes)
    result = run_recipe(recipe, tmp_path / "run")
    assert [stage.blocks for stage in result.stages] == [16, 14, 14, 14]
    removed = result.stages[1].report["rounds"][0]["removed"]
    assert all(4 <= index <= 13 for index in removed), "the first four and the last two are kept"
    own = json.loads((tmp_path / "run" / "3-lora" / "config.json").read_text())["aretusa"]
    assert len(own["sparsity"]) == 14 * 7
    assert set(own["sparsity"].values()) == {"1:8"}
    matrices = 14 * (64 * (64 + 16 + 16 + 64) + 3 * 64 * 96)
    zeros = result.stages[3].parameters - result.stages[3].nonzero
    assert zeros == pytest.approx(matrices / 8, rel=1e-3)
