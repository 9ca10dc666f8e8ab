"""Tiny checkpoints of every family for tests: what is written is returned for comparison."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gguf
import ml_dtypes
import numpy as np

from aretusa.frontend.llama_config import Family, LlamaConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

Tensors = dict[str, "NDArray[np.float32]"]

_DTYPES = {
    "float32": ("F32", np.float32),
    "float16": ("F16", np.float16),
    "bfloat16": ("BF16", ml_dtypes.bfloat16),
}

_INTEGERS = (("I8", np.int8), ("I32", np.int32))


def tiny_config(family: Family = Family.LLAMA, **changes: Any) -> LlamaConfig:  # noqa: ANN401
    """Two layers, 64 wide, four query and two key/value heads; depths are multiples of 32."""
    config = LlamaConfig(
        family=family,
        hidden_size=64,
        layers=2,
        heads=4,
        kv_heads=2,
        head_dim=32 if family is Family.QWEN3 else 16,
        ffn_size=96,
        vocab_size=80,
        max_positions=128,
        rope_theta=10000.0,
        rope_scaling=None,
        norm_eps=1e-5,
        ties_embeddings=False,
        has_qkv_bias=family is Family.QWEN2,
        has_qk_norm=family is Family.QWEN3,
    )
    return replace(config, **changes)


def random_tensors(config: LlamaConfig, seed: int) -> Tensors:
    """Every tensor of the model: norms near one, everything else near zero."""
    random = np.random.default_rng(seed)
    tensors: Tensors = {}
    for name, shape in _shapes(config).items():
        values = 0.1 * random.standard_normal(shape)
        tensors[name] = (values + ("norm" in name)).astype(np.float32)
    return tensors


def write_hf_llama(
    path: Path,
    config: LlamaConfig,
    seed: int = 0,
    *,
    shards: int = 1,
    dtype: str = "bfloat16",
    tensors: Mapping[str, NDArray[np.float32]] | None = None,
    changes: Mapping[str, object] | None = None,
) -> Tensors:
    """Write a Hugging Face directory; return the values after rounding to `dtype`.

    `tensors` replaces the random ones, `changes` overrides keys of config.json.
    """
    path.mkdir(parents=True, exist_ok=True)
    json_config = hf_config(config) | {"torch_dtype": dtype} | dict(changes or {})
    (path / "config.json").write_text(json.dumps(json_config, indent=2))
    source = random_tensors(config, seed) if tensors is None else dict(tensors)
    stored = {name: values.astype(_DTYPES[dtype][1]) for name, values in source.items()}
    if shards == 1:
        (path / "model.safetensors").write_bytes(safetensors_bytes(stored))
    else:
        _write_shards(path, stored, shards)
    return {name: values.astype(np.float32) for name, values in stored.items()}


def write_gguf_llama(
    path: Path,
    config: LlamaConfig,
    seed: int = 0,
    *,
    matrix_type: str = "Q8_0",
    embedding_type: str = "Q8_0",
    tensors: Mapping[str, NDArray[np.float32]] | None = None,
) -> Tensors:
    """Write a GGUF file as llama.cpp's converter does; return the values that it stores.

    Keys and row order of the result are Hugging Face's.
    """
    source = random_tensors(config, seed) if tensors is None else dict(tensors)
    arch = "llama" if config.family is Family.MISTRAL else config.family.value
    writer = gguf.GGUFWriter(path, arch)
    _add_metadata(writer, config)
    values: Tensors = {}
    for name, tensor in source.items():
        is_vector = tensor.ndim == 1
        type_name = "F32" if is_vector else embedding_type if "embed" in name else matrix_type
        kind = gguf.GGMLQuantizationType[type_name]
        order = _neighbour_rows(name, config) if arch == "llama" else None
        rows = tensor if order is None else tensor[order]
        data = gguf.quants.quantize(rows, kind)
        writer.add_tensor(_gguf_name(name), data, raw_dtype=kind)
        stored = gguf.quants.dequantize(data, kind).reshape(tensor.shape)
        values[name] = stored if order is None else stored[np.argsort(order)]
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def hf_config(config: LlamaConfig) -> dict[str, object]:
    """config.json as transformers 4 wrote it."""
    result: dict[str, object] = {
        "architectures": [f"{config.family.value.title()}ForCausalLM"],
        "model_type": config.family.value,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.ffn_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_positions,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_scaling": None,
        "hidden_act": "silu",
        "sliding_window": None,
        "tie_word_embeddings": config.ties_embeddings,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    scaling = config.rope_scaling
    if scaling is not None:
        result["rope_scaling"] = {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_max_positions,
        }
    return result


def safetensors_bytes(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """A safetensors file with the tensors in the given order."""
    names = {np.dtype(dtype): name for name, dtype in (*_DTYPES.values(), *_INTEGERS)}
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, values in tensors.items():
        raw = values.tobytes()
        header[name] = {
            "dtype": names[values.dtype],
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    return safetensors_file(header, data)


def safetensors_file(header: Mapping[str, object] | bytes, data: bytes) -> bytes:
    """A safetensors file with any header, right or wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def _write_shards(path: Path, tensors: Mapping[str, NDArray[Any]], shards: int) -> None:
    weight_map: dict[str, str] = {}
    for shard in range(shards):
        file_name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {name: tensors[name] for name in list(tensors)[shard::shards]}
        (path / file_name).write_bytes(safetensors_bytes(part))
        weight_map |= dict.fromkeys(part, file_name)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))


def _shapes(config: LlamaConfig) -> dict[str, tuple[int, ...]]:
    hidden, q, kv = config.hidden_size, config.q_size, config.kv_size
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, hidden)}
    for layer in range(config.layers):
        start = f"model.layers.{layer}"
        shapes[f"{start}.input_layernorm.weight"] = (hidden,)
        for letter, rows in (("q", q), ("k", kv), ("v", kv)):
            shapes[f"{start}.self_attn.{letter}_proj.weight"] = (rows, hidden)
            if config.has_qkv_bias:
                shapes[f"{start}.self_attn.{letter}_proj.bias"] = (rows,)
        if config.has_qk_norm:
            shapes[f"{start}.self_attn.q_norm.weight"] = (config.head_dim,)
            shapes[f"{start}.self_attn.k_norm.weight"] = (config.head_dim,)
        shapes[f"{start}.self_attn.o_proj.weight"] = (hidden, q)
        shapes[f"{start}.post_attention_layernorm.weight"] = (hidden,)
        shapes[f"{start}.mlp.gate_proj.weight"] = (config.ffn_size, hidden)
        shapes[f"{start}.mlp.up_proj.weight"] = (config.ffn_size, hidden)
        shapes[f"{start}.mlp.down_proj.weight"] = (hidden, config.ffn_size)
    shapes["model.norm.weight"] = (hidden,)
    if not config.ties_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    return shapes


def _add_metadata(writer: gguf.GGUFWriter, config: LlamaConfig) -> None:
    assert config.rope_scaling is None, "GGUF has no field for it"
    writer.add_context_length(config.max_positions)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.ffn_size)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token{index}" for index in range(config.vocab_size)])
    writer.add_token_merges(["t o", "to k"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)  # noqa: FBT003


def _neighbour_rows(name: str, config: LlamaConfig) -> NDArray[np.intp] | None:
    """Hugging Face rows in the order in which llama.cpp stores them: i, i + half, i + 1, ..."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return None
    heads = config.heads if "q_proj" in name else config.kv_heads
    half = config.head_dim // 2
    order = [
        head * config.head_dim + i + part * half
        for head in range(heads)
        for i in range(half)
        for part in (0, 1)
    ]
    return np.array(order)


def _gguf_name(name: str) -> str:
    replacements = (
        ("model.embed_tokens", "token_embd"),
        ("model.layers.", "blk."),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.", "attn_"),
        ("mlp.", "ffn_"),
        ("_proj", ""),
    )
    for old, new in replacements:
        name = name.replace(old, new)
    return name
