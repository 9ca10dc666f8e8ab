"""Hugging Face directories that are right: what was written is what is loaded."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest
from checkpoints import safetensors_bytes, tiny_config, write_hf_llama
from safetensors.numpy import load_file

from aretusa.errors import ModelError, UnsupportedError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.hf_store import widen
from aretusa.frontend.llama_config import Family, Llama3RopeScaling
from aretusa.frontend.tokenizer_source import HfTokenizerSource
from aretusa.frontend.weights import FloatWeight

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.frontend.checkpoint import Checkpoint

LLAMA3 = Llama3RopeScaling(
    factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_positions=64
)


def values_of(checkpoint: Checkpoint, name: str) -> NDArray[np.float32]:
    weight = checkpoint.load(name)
    assert isinstance(weight, FloatWeight)
    return weight.values


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_every_family_and_type_round_trips(tmp_path: Path, family: Family, dtype: str) -> None:
    config = tiny_config(family)
    source = write_hf_llama(tmp_path, config, seed=1, dtype=dtype)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.kind == "huggingface"
    assert checkpoint.config == config
    assert checkpoint.name == tmp_path.name
    assert set(checkpoint.tensor_names) == set(source)
    for name, values in source.items():
        loaded = values_of(checkpoint, name)
        assert loaded.dtype == np.float32
        np.testing.assert_array_equal(loaded, values, strict=True)
    assert checkpoint.warnings == []


def test_the_safetensors_library_reads_the_same(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config(), dtype="bfloat16")
    checkpoint = open_checkpoint(tmp_path)
    for name, values in load_file(tmp_path / "model.safetensors").items():
        np.testing.assert_array_equal(values_of(checkpoint, name), values.astype(np.float32))


@pytest.mark.parametrize("shards", [2, 3])
def test_sharded_equals_single(tmp_path: Path, shards: int) -> None:
    config = tiny_config()
    write_hf_llama(tmp_path / "one", config, seed=5)
    write_hf_llama(tmp_path / "many", config, seed=5, shards=shards)
    one, many = open_checkpoint(tmp_path / "one"), open_checkpoint(tmp_path / "many")
    assert len(many.store.files) == shards
    for name in one.tensor_names:
        np.testing.assert_array_equal(values_of(one, name), values_of(many, name))


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_all_16_bit_patterns_widen_exactly(dtype: str) -> None:
    raw = np.arange(2**16, dtype=np.uint16)
    oracle_dtype = ml_dtypes.bfloat16 if dtype == "BF16" else np.float16
    with np.errstate(invalid="ignore"):
        expected = raw.view(oracle_dtype).astype(np.float32)
    np.testing.assert_array_equal(widen(raw.tobytes(), dtype), expected)


def test_the_fingerprint_follows_the_content(tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_hf_llama(tmp_path / folder, tiny_config(), seed=seed)
    a, b, c = (open_checkpoint(tmp_path / folder).fingerprint() for folder in "abc")
    assert a == b != c
    write_hf_llama(tmp_path / "a", tiny_config(), seed=1, changes={"rope_theta": 5e5})
    assert open_checkpoint(tmp_path / "a").fingerprint() != b


def test_rope_parameters_of_newer_transformers(tmp_path: Path) -> None:
    config = tiny_config(rope_theta=5e5, rope_scaling=LLAMA3)
    table = {
        "rope_type": "llama3",
        "rope_theta": 5e5,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    changes = {"rope_parameters": table, "rope_theta": None, "rope_scaling": None}
    write_hf_llama(tmp_path / "new", config, changes=changes)
    write_hf_llama(tmp_path / "old", config)
    assert open_checkpoint(tmp_path / "new").config == config
    assert open_checkpoint(tmp_path / "old").config == config


def test_absent_keys_mean_what_transformers_means(tmp_path: Path) -> None:
    absent = dict.fromkeys(("rope_theta", "head_dim", "tie_word_embeddings", "hidden_act"))
    config = tiny_config(kv_heads=4)
    write_hf_llama(tmp_path, config, changes=absent | {"num_key_value_heads": None})
    assert open_checkpoint(tmp_path).config == config


def test_ids_come_from_generation_config_first(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config())
    assert open_checkpoint(tmp_path).eos_token_ids == (2,)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [7, 9, 7]}')
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.bos_token_id == 1
    assert checkpoint.eos_token_ids == (7, 9)


def test_ids_may_be_absent(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config(), changes={"bos_token_id": None, "eos_token_id": None})
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.bos_token_id is None
    assert checkpoint.eos_token_ids == ()


def test_tied_embeddings_need_no_head(tmp_path: Path) -> None:
    source = write_hf_llama(tmp_path, tiny_config(ties_embeddings=True))
    checkpoint = open_checkpoint(tmp_path)
    assert "lm_head.weight" not in checkpoint.tensor_names
    assert set(checkpoint.tensor_names) == set(source)


def test_a_stored_tied_head_must_equal_the_embedding(tmp_path: Path) -> None:
    config = tiny_config(ties_embeddings=True)
    source = write_hf_llama(tmp_path, config)
    source["lm_head.weight"] = source["model.embed_tokens.weight"].copy()
    write_hf_llama(tmp_path, config, tensors=source)
    assert "lm_head.weight" not in open_checkpoint(tmp_path).tensor_names
    source["lm_head.weight"][-1, -1] += 1
    write_hf_llama(tmp_path, config, tensors=source)
    with pytest.raises(UnsupportedError, match="differs from the tied embedding") as caught:
        open_checkpoint(tmp_path)
    assert caught.value.code == "E0204"


def test_rotary_frequencies_are_ignored(tmp_path: Path) -> None:
    source = write_hf_llama(tmp_path, tiny_config())
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    source[name] = np.ones(8, dtype=np.float32)
    write_hf_llama(tmp_path, tiny_config(), tensors=source)
    assert name not in open_checkpoint(tmp_path).tensor_names


def test_a_chat_template_is_hashed_and_not_rendered(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config())
    assert not open_checkpoint(tmp_path).has_chat_template
    template = "{{ 1 / 0 }}"
    digest = hashlib.sha256(template.encode()).hexdigest()
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.has_chat_template
    assert checkpoint.chat_template_sha256 == digest
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "chat_template.jinja").write_text(template)
    assert open_checkpoint(tmp_path).chat_template_sha256 == digest


def test_templates_that_are_lists_or_not_unicode_have_a_hash(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config())
    config = tmp_path / "tokenizer_config.json"
    for template in ([{"name": "default", "template": "x"}], "\ud800"):
        config.write_text(json.dumps({"chat_template": template}))
        assert open_checkpoint(tmp_path).has_chat_template


def test_the_tokenizer_is_asked_for_only_when_needed(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config())
    checkpoint = open_checkpoint(tmp_path)
    with pytest.raises(ModelError) as caught:
        _ = checkpoint.tokenizer_source
    assert caught.value.code == "E0220"
    (tmp_path / "tokenizer.json").write_text("{}")
    source = open_checkpoint(tmp_path).tokenizer_source
    assert source == HfTokenizerSource(tmp_path / "tokenizer.json")


def test_a_snapshot_of_the_hugging_face_cache_opens(tmp_path: Path) -> None:
    repo = tmp_path / "models--org--name"
    source = write_hf_llama(repo / "blobs", tiny_config(), shards=2)
    snapshot = repo / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    for blob in (repo / "blobs").iterdir():
        (snapshot / blob.name).symlink_to(f"../../blobs/{blob.name}")
    checkpoint = open_checkpoint(snapshot)
    np.testing.assert_array_equal(
        values_of(checkpoint, "model.norm.weight"), source["model.norm.weight"]
    )


def test_the_name_is_printable(tmp_path: Path) -> None:
    folder = tmp_path / "evil\nname\u202e"
    write_hf_llama(folder, tiny_config())
    assert open_checkpoint(folder).name == "evil?name?"


def test_unaligned_data_loads(tmp_path: Path) -> None:
    source = write_hf_llama(tmp_path, tiny_config(), dtype="float32")
    raw = safetensors_bytes(source)
    length = int.from_bytes(raw[:8], "little")
    odd = (length + 3).to_bytes(8, "little") + raw[8 : 8 + length] + b"   " + raw[8 + length :]
    (tmp_path / "model.safetensors").write_bytes(odd)
    checkpoint = open_checkpoint(tmp_path)
    for name, values in source.items():
        np.testing.assert_array_equal(values_of(checkpoint, name), values)
