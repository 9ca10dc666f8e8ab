"""The configurations of examples/configs: shapes and parameters as their models were published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from aretusa.frontend.llama_config import Family, Llama3RopeScaling, LlamaConfig
from aretusa.frontend.outline import open_outline
from aretusa.frontend.tensor_shapes import parameter_count

CONFIGS: Final = Path(__file__).parents[3] / "examples" / "configs"
# Numbers of all tensors, a tied head once. The first three are what the models' pages say.
PARAMETERS: Final = {
    "llama-3.2-1b": 1_235_814_400,
    "qwen3-0.6b": 596_049_920,
    "smollm2-135m": 134_515_008,
    "llama-42m": 41_689_600,
    "llama-0.5m": 492_384,
}


def config_of(name: str) -> LlamaConfig:
    return open_outline(CONFIGS / f"{name}.json").config


def test_every_configuration_is_tried() -> None:
    assert {path.stem for path in CONFIGS.glob("*.json")} == PARAMETERS.keys()


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_of_the_model(name: str) -> None:
    outline = open_outline(CONFIGS / f"{name}.json")
    assert outline.name == name
    assert outline.tokenizer is None
    assert outline.config.ties_embeddings
    assert parameter_count(outline.config) == PARAMETERS[name]


def test_llama_3_scales_its_rotary_angles() -> None:
    config = config_of("llama-3.2-1b")
    assert config.rope_theta == 500_000
    assert config.rope_scaling == Llama3RopeScaling(
        factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_positions=8192
    )
    assert (config.heads, config.kv_heads, config.head_dim) == (32, 8, 64)


def test_qwen3_has_heads_wider_than_its_hidden_size() -> None:
    config = config_of("qwen3-0.6b")
    assert config.family is Family.QWEN3
    assert config.q_size == 2048 == 2 * config.hidden_size
    assert config.has_qk_norm


@pytest.mark.parametrize("name", PARAMETERS)
def test_newer_transformers_say_the_same(name: str, tmp_path: Path) -> None:
    """Version 5 renames torch_dtype and gathers the rotary keys, and writes keys of its own."""
    values = json.loads((CONFIGS / f"{name}.json").read_text("utf-8"))
    rope = {"rope_type": "default", "rope_theta": values.pop("rope_theta")}
    values["rope_parameters"] = rope | (values.pop("rope_scaling") or {})
    values["dtype"] = values.pop("torch_dtype")
    values["layer_types"] = ["full_attention"] * values["num_hidden_layers"]
    values |= {"transformers_version": "5.0.0", "pad_token_id": None, "a_key_of_tomorrow": [1]}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    assert open_outline(path).config == config_of(name)
