"""GGUF files that are right: codes as stored, rows in Hugging Face order."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import gguf
import numpy as np
import pytest
from checkpoints import random_tensors, tiny_config, write_gguf_llama, write_hf_llama

from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.gguf_store import half_split_rows, huggingface_name
from aretusa.frontend.llama_config import Family
from aretusa.frontend.tokenizer_source import GgufTokenizerSource
from aretusa.frontend.weights import CodedWeight, FloatWeight

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.frontend.weights import StoredWeight

GGUF_FAMILIES = [Family.LLAMA, Family.QWEN2, Family.QWEN3]
CODED_TYPES = ["Q8_0", "Q4_0", "Q4_1"]
CODED_FORMS = {"Q8_0": (8, 0, "int8"), "Q4_0": (4, 8, "uint8"), "Q4_1": (4, 0, "uint8")}


def real_values(weight: StoredWeight) -> NDArray[np.float32]:
    return weight.values if isinstance(weight, FloatWeight) else weight.dequantise()


@pytest.mark.parametrize("family", GGUF_FAMILIES)
@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", *CODED_TYPES])
def test_every_type_equals_its_source(tmp_path: Path, family: Family, kind: str) -> None:
    path = tmp_path / "tiny.gguf"
    config = tiny_config(family, norm_eps=2.0**-17, ties_embeddings=family is Family.QWEN2)
    source = write_gguf_llama(path, config, seed=3, matrix_type=kind)
    checkpoint = open_checkpoint(path)
    assert checkpoint.kind == "gguf"
    assert checkpoint.name == "tiny"
    assert checkpoint.config == config
    assert set(checkpoint.tensor_names) == set(source)
    for name, values in source.items():
        np.testing.assert_array_equal(real_values(checkpoint.load(name)), values)


@pytest.mark.parametrize("kind", CODED_TYPES)
def test_codes_keep_their_form(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf_llama(path, tiny_config(), matrix_type=kind)
    weight = open_checkpoint(path).load("model.layers.1.self_attn.q_proj.weight")
    assert isinstance(weight, CodedWeight)
    bits, zero, dtype = CODED_FORMS[kind]
    assert (weight.bits, weight.zero, weight.codes.dtype.name) == (bits, zero, dtype)
    assert weight.group == 32
    assert weight.shape == (64, 64)
    assert weight.scales.shape == (64, 2)
    assert (weight.minimums is not None) == (kind == "Q4_1")
    assert bits == 8 or int(weight.codes.max()) <= 15


def test_nibbles_are_halves_of_a_block(tmp_path: Path) -> None:
    config = tiny_config()
    tensors = random_tensors(config, seed=0)
    name = "model.layers.0.mlp.up_proj.weight"
    ramp = np.concatenate([np.arange(-8, 8), np.arange(7, -9, -1)]).astype(np.float32)
    tensors[name] = np.tile(ramp, (96, 2))
    write_gguf_llama(tmp_path / "tiny.gguf", config, matrix_type="Q4_0", tensors=tensors)
    weight = open_checkpoint(tmp_path / "tiny.gguf").load(name)
    assert isinstance(weight, CodedWeight)
    np.testing.assert_array_equal(weight.codes, tensors[name] + 8)


def test_a_gguf_file_equals_the_hugging_face_directory(tmp_path: Path) -> None:
    config = tiny_config()
    write_hf_llama(tmp_path / "hf", config, seed=4, dtype="float32")
    write_gguf_llama(
        tmp_path / "tiny.gguf", config, seed=4, matrix_type="F32", embedding_type="F32"
    )
    one, two = open_checkpoint(tmp_path / "hf"), open_checkpoint(tmp_path / "tiny.gguf")
    assert one.tensor_names == two.tensor_names
    assert (one.bos_token_id, one.eos_token_ids) == (two.bos_token_id, two.eos_token_ids)
    for name in one.tensor_names:
        np.testing.assert_array_equal(real_values(one.load(name)), real_values(two.load(name)))


def test_half_split_rows_of_a_small_head() -> None:
    np.testing.assert_array_equal(half_split_rows(heads=2, head_dim=4), [0, 2, 1, 3, 4, 6, 5, 7])


def test_names_without_a_counterpart_cannot_pass_as_one() -> None:
    assert huggingface_name("blk.12.attn_q.weight") == "model.layers.12.self_attn.q_proj.weight"
    assert huggingface_name("model.norm.weight") == "gguf:model.norm.weight"
    assert huggingface_name("blk.01.attn_q.weight").startswith("gguf:")


def test_the_tokenizer_metadata_is_plain_python(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf_llama(path, tiny_config())
    source = open_checkpoint(path).tokenizer_source
    assert isinstance(source, GgufTokenizerSource)
    assert source.path == path
    tokens = source.metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, list)
    assert tokens[:2] == ["token0", "token1"]
    assert source.metadata["tokenizer.ggml.bos_token_id"] == 1
    assert source.metadata["tokenizer.ggml.add_bos_token"] is True
    assert all(key.startswith("tokenizer.ggml.") for key in source.metadata)


def test_smollm2_equals_the_gguf_library(
    smollm2_gguf: Path, smollm2_reader: gguf.GGUFReader
) -> None:
    checkpoint = open_checkpoint(smollm2_gguf)
    assert checkpoint.config.layers == 30
    assert checkpoint.config.ties_embeddings
    library = {huggingface_name(tensor.name): tensor for tensor in smollm2_reader.tensors}
    assert set(library) == set(checkpoint.tensor_names)
    heads = {"q_proj": checkpoint.config.heads, "k_proj": checkpoint.config.kv_heads}
    # Every type and every kind of tensor of the first and the last layer.
    for name in checkpoint.tensor_names:
        if "layers" in name and name.split(".")[2] not in {"0", "29"}:
            continue
        tensor = library[name]
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for projection, count in heads.items():
            if projection in name:
                half = checkpoint.config.head_dim // 2
                pairs = expected.reshape(count, half, 2, -1)
                expected = pairs.swapaxes(1, 2).reshape(expected.shape)
        np.testing.assert_array_equal(real_values(checkpoint.load(name)), expected)
    assert checkpoint.warnings == []


def test_smollm2_has_a_template_and_a_tokenizer(
    smollm2_gguf: Path, smollm2_reader: gguf.GGUFReader
) -> None:
    checkpoint = open_checkpoint(smollm2_gguf)
    field = smollm2_reader.fields["tokenizer.chat_template"]
    template = bytes(field.parts[field.data[0]])
    assert checkpoint.chat_template_sha256 == hashlib.sha256(template).hexdigest()
    assert checkpoint.eos_token_ids == (2,)
    assert isinstance(checkpoint.tokenizer_source, GgufTokenizerSource)
