"""Configurations that are wrong or not supported: cases 18 and 29 to 32."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from checkpoints import tiny_config, write_hf_llama

from aretusa.errors import AretusaError, ExitCode
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.llama_config import Family

if TYPE_CHECKING:
    from pathlib import Path

CODES_WITH_EXIT_4 = {"E0125", "E0126", "E0201", "E0204"}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def refusal(directory: Path) -> AretusaError:
    with pytest.raises(AretusaError) as caught:
        open_checkpoint(directory)
    error = caught.value
    expected = ExitCode.UNSUPPORTED if error.code in CODES_WITH_EXIT_4 else ExitCode.MODEL
    assert error.exit_code == expected
    assert error.line().isprintable()
    assert len(error.line()) < 900
    return error


@pytest.mark.parametrize(
    ("family", "changes", "code", "says"),
    [
        # Catalogue, number 18, code and layouts of others
        ("llama", {"auto_map": {"AutoModel": "evil.Model"}}, "E0125", "auto_map"),
        ("llama", {"quantization_config": {"quant_method": "awq"}}, "E0126", "imported: gptq"),
        # Catalogue, number 29, model type
        ("llama", {"model_type": "mamba\n"}, "E0201", "llama, mistral, qwen2, qwen3"),
        ("llama", {"model_type": None}, "E0200", "'model_type' is missing"),
        ("llama", {"model_type": 3}, "E0200", "must be a string, found int 3"),
        # wrong types
        ("llama", {"hidden_size": None}, "E0200", "'hidden_size' is missing"),
        ("llama", {"hidden_size": "64"}, "E0200", "must be an integer, found str"),
        ("llama", {"hidden_size": 64.0}, "E0200", "must be an integer, found float"),
        ("llama", {"num_hidden_layers": True}, "E0200", "must be an integer, found bool"),
        ("llama", {"rms_norm_eps": True}, "E0200", "must be a number, found bool"),
        ("llama", {"rms_norm_eps": "1e-5"}, "E0200", "must be a number, found str"),
        ("llama", {"rope_theta": 10**400}, "E0200", "finite"),
        ("llama", {"tie_word_embeddings": 1}, "E0200", "true or false"),
        ("llama", {"rope_scaling": [1]}, "E0200", "must be an object"),
        ("llama", {"eos_token_id": True}, "E0200", "eos_token_id"),
        ("llama", {"eos_token_id": [2, 80]}, "E0200", "from 0 to 79"),
        ("llama", {"bos_token_id": -1}, "E0200", "from 0 to 79"),
        # Catalogue, number 31, bounds
        ("llama", {"num_hidden_layers": 10**9}, "E0203", "layers is 1000000000"),
        ("llama", {"num_hidden_layers": 0}, "E0203", "layers"),
        ("llama", {"vocab_size": 2**31}, "E0203", "vocab_size"),
        ("llama", {"hidden_size": 2**40, "head_dim": 16}, "E0203", "hidden_size"),
        ("llama", {"intermediate_size": -1}, "E0203", "ffn_size"),
        ("llama", {"num_attention_heads": 10**4000}, "E0203", "heads"),
        ("llama", {"num_key_value_heads": 0}, "E0203", "kv_heads"),
        ("llama", {"head_dim": 2**20}, "E0203", "head_dim"),
        ("llama", {"max_position_embeddings": 10**10}, "E0203", "max_positions"),
        ("llama", {"rope_theta": -1.0}, "E0203", "rope_theta"),
        ("llama", {"rms_norm_eps": 0.0}, "E0203", "norm_eps"),
        ("llama", {"rope_scaling": LLAMA3 | {"factor": 0.5}}, "E0203", "factor"),
        ("llama", {"rope_scaling": LLAMA3 | {"low_freq_factor": 4.0}}, "E0203", "low_freq"),
        # Catalogue, number 32, what the block cannot do
        ("llama", {"num_key_value_heads": 3}, "E0204", "4 query heads cannot share 3"),
        ("llama", {"head_dim": 15}, "E0204", "head_dim 15 is odd"),
        ("llama", {"num_attention_heads": 7, "head_dim": None}, "E0204", "does not divide"),
        ("llama", {"num_attention_heads": 0, "head_dim": None}, "E0204", "does not divide"),
        ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0}}, "E0204", "'linear'"),
        ("llama", {"rope_scaling": {"rope_type": "yarn"}}, "E0204", "'yarn'"),
        ("llama", {"rope_parameters": {"rope_theta": 7.0}}, "E0204", "rope_theta"),
        ("llama", {"rope_parameters": {}, "rope_scaling": LLAMA3}, "E0204", "contradict"),
        ("llama", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "E0204", "rotated"),
        ("llama", {"partial_rotary_factor": 0.5}, "E0204", "rotated"),
        ("llama", {"hidden_act": "gelu"}, "E0204", "hidden_act"),
        ("llama", {"attention_bias": True}, "E0204", "attention_bias"),
        ("llama", {"mlp_bias": True}, "E0204", "mlp_bias"),
        ("llama", {"pretraining_tp": 2}, "E0204", "pretraining_tp"),
        ("mistral", {"sliding_window": 64}, "E0204", "slides over 64 of 128"),
        ("qwen2", {"use_sliding_window": True}, "E0204", "use_sliding_window"),
        ("qwen2", {"layer_types": ["sliding_attention"] * 2}, "E0204", "layer_types"),
        ("qwen3", {"attention_bias": True}, "E0204", "attention_bias"),
        ("qwen2", {"num_key_value_heads": None}, "E0200", "'num_key_value_heads' is missing"),
        # Catalogue, number 30, sizes that the weights do not have
        ("llama", {"vocab_size": 81}, "E0202", "expected [81, 64], found [80, 64]"),
        ("llama", {"num_hidden_layers": 3}, "E0202", "9 tensors are missing"),
        ("llama", {"num_hidden_layers": 1}, "E0202", "9 tensors are unexpected"),
        ("llama", {"hidden_size": 128}, "E0202", "expected [80, 128]"),
        ("llama", {"num_attention_heads": 8}, "E0202", "q_proj"),
        ("llama", {"num_key_value_heads": 1}, "E0202", "k_proj"),
        ("llama", {"intermediate_size": 64}, "E0202", "mlp"),
        ("llama", {"model_type": "qwen2"}, "E0202", "q_proj.bias"),
        ("qwen2", {"model_type": "llama"}, "E0202", "unexpected"),
    ],
)
def test_one_wrong_key(
    tmp_path: Path, family: str, changes: dict[str, Any], code: str, says: str
) -> None:
    write_hf_llama(tmp_path, tiny_config(Family(family)), changes=changes)
    error = refusal(tmp_path)
    assert error.code == code
    assert says in error.line()
    assert "config.json" in error.line()


@pytest.mark.parametrize("window", [None, 128, 4096])
def test_a_window_over_all_positions_is_no_window(tmp_path: Path, window: int | None) -> None:
    write_hf_llama(tmp_path, tiny_config(Family.MISTRAL), changes={"sliding_window": window})
    assert open_checkpoint(tmp_path).config.family is Family.MISTRAL


def test_qwen_may_name_a_window_that_it_does_not_use(tmp_path: Path) -> None:
    changes = {"sliding_window": 16, "use_sliding_window": False, "max_window_layers": 28}
    write_hf_llama(tmp_path, tiny_config(Family.QWEN2), changes=changes)
    assert open_checkpoint(tmp_path).config == tiny_config(Family.QWEN2)


@pytest.mark.parametrize(
    ("family", "key", "code"),
    [("mistral", "sliding_window", "E0204"), ("qwen3", "head_dim", "E0200")],
)
def test_an_absent_key_is_not_guessed(tmp_path: Path, family: str, key: str, code: str) -> None:
    """transformers fills these in with 4096 and 128."""
    write_hf_llama(tmp_path, tiny_config(Family(family), max_positions=8192))
    path = tmp_path / "config.json"
    values = json.loads(path.read_text())
    del values[key]
    path.write_text(json.dumps(values))
    error = refusal(tmp_path)
    assert error.code == code
    assert key in error.line() or "4096 of 8192" in error.line()


def test_no_config(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert error.code == "E0200"
    assert tmp_path.name in error.line()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe{}",
        b'{"model_type": "llama", "model_type": "llama"}',
        b'{"model_type": "llama", "rms_norm_eps": NaN}',
        b'{"model_type": "llama", "rope_theta": Infinity}',
    ],
)
@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer_config.json"])
def test_broken_json(tmp_path: Path, name: str, text: bytes) -> None:
    write_hf_llama(tmp_path, tiny_config())
    (tmp_path / name).write_bytes(text)
    error = refusal(tmp_path)
    assert error.code == "E0200"
    assert name in error.line()


def test_a_number_that_overflows(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config())
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace("1e-05", "1e999"))
    assert refusal(tmp_path).code == "E0200"


def test_a_missing_head_suggests_tying(tmp_path: Path) -> None:
    source = write_hf_llama(tmp_path, tiny_config())
    del source["lm_head.weight"]
    write_hf_llama(tmp_path, tiny_config(), tensors=source)
    error = refusal(tmp_path)
    assert error.code == "E0202"
    assert "lm_head.weight" in error.line()
    assert "tie_word_embeddings" in error.fix


def test_stray_tensors_are_named(tmp_path: Path) -> None:
    source = write_hf_llama(tmp_path, tiny_config())
    source['evil"; /*\n' + "x" * 10_000] = np.ones(4, dtype=np.float32)
    source["zz.weight"] = np.ones(4, dtype=np.float32)
    write_hf_llama(tmp_path, tiny_config(), tensors=source)
    error = refusal(tmp_path)
    assert error.code == "E0202"
    assert "2 tensors are unexpected" in error.line()
    assert "zz.weight" in error.line()


def test_the_json_record_is_serialisable(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config(), changes={"model_type": "\ud800\u202e"})
    assert json.dumps(refusal(tmp_path).record(), ensure_ascii=False).encode()
