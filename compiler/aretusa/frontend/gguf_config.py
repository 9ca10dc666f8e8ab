"""Metadata of a GGUF file -> LlamaConfig and special ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.errors import ModelError, UnsupportedError
from aretusa.frontend.check_config import check_config, unsupported
from aretusa.frontend.fields import Fields
from aretusa.frontend.hf_config import SpecialIds
from aretusa.frontend.llama_config import Family, LlamaConfig
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.gguf_file import GgufFile

_TOKENS_KEY = "tokenizer.ggml.tokens"
# llama.cpp writes Mistral as llama: the blocks are equal.
_ARCHITECTURES = {"llama": Family.LLAMA, "qwen2": Family.QWEN2, "qwen3": Family.QWEN3}


def read_gguf_config(file: GgufFile) -> LlamaConfig:
    """The checked configuration; whatever this compiler does not do is an error with exit 4."""
    path = file.mapped.path
    family = _read_family(Fields(file.metadata, path))
    fields = Fields(file.metadata, path, prefix=f"{family.value}.")
    _refuse_variants(fields, file)
    heads = fields.integer("attention.head_count")
    hidden_size = fields.integer("embedding_length")
    config = LlamaConfig(
        family=family,
        hidden_size=hidden_size,
        layers=fields.integer("block_count"),
        heads=heads,
        kv_heads=fields.integer("attention.head_count_kv", heads),
        head_dim=_read_head_dim(fields, hidden_size, heads),
        ffn_size=fields.integer("feed_forward_length"),
        vocab_size=_read_vocab_size(fields),
        max_positions=fields.integer("context_length"),
        rope_theta=fields.real("rope.freq_base", 10000.0),
        rope_scaling=None,
        norm_eps=fields.real("attention.layer_norm_rms_epsilon"),
        ties_embeddings="output.weight" not in file.tensors,
        has_qkv_bias=family is Family.QWEN2,
        has_qk_norm=family is Family.QWEN3,
    )
    check_config(config, path)
    _check_attention(fields, config)
    return config


def read_gguf_special_ids(file: GgufFile, vocab_size: int) -> SpecialIds:
    """Ids that begin and end a text, from the tokenizer's metadata."""
    fields = Fields(file.metadata, file.mapped.path, prefix="tokenizer.ggml.")
    found: dict[str, int] = {}
    for key in ("bos_token_id", "eos_token_id", "eot_token_id"):
        if fields.get(key) is not None:
            found[key] = fields.integer(key)
            if not 0 <= found[key] < vocab_size:
                raise fields.error(key, f"must be an id from 0 to {vocab_size - 1}")
    ends = [found[key] for key in ("eos_token_id", "eot_token_id") if key in found]
    return SpecialIds(bos=found.get("bos_token_id"), eos=tuple(dict.fromkeys(ends)))


def _read_family(fields: Fields) -> Family:
    name = fields.text("general.architecture")
    family = _ARCHITECTURES.get(name)
    if family is None:
        raise UnsupportedError(
            "E0201",
            f"architecture '{printable(name)}' is not supported",
            file=fields.file,
            why=f"supported: {', '.join(_ARCHITECTURES)}",
            fix="Choose a model of a supported family.",
        )
    return family


def _refuse_variants(fields: Fields, file: GgufFile) -> None:
    """Raise E0204 for metadata and tensors that change the block's arithmetic."""
    if fields.text("rope.scaling.type", "none") != "none":
        raise unsupported("the rotary angles are scaled (rope.scaling.type)", fields.file)
    for key in ("rope.scaling.factor", "rope.scale_linear"):
        if fields.real(key, 1.0) != 1.0:
            raise unsupported(f"the rotary angles are scaled ({key})", fields.file)
    if fields.integer("expert_count", 0) != 0:
        raise unsupported("the feed-forward layers are mixtures of experts", fields.file)
    if "rope_freqs.weight" in file.tensors:
        raise UnsupportedError(
            "E0204",
            "the rotary angles are scaled by stored factors (rope_freqs.weight)",
            file=fields.file,
            why="GGUF does not keep the llama3 parameters that the factors come from",
            fix="Give the Hugging Face directory of this model, which keeps them.",
        )


def _read_head_dim(fields: Fields, hidden_size: int, heads: int) -> int:
    if fields.get("attention.key_length") is not None:
        return fields.integer("attention.key_length")
    if heads < 1 or hidden_size % heads:
        raise unsupported(
            f"embedding_length {hidden_size} does not divide into {heads} heads, and "
            "attention.key_length is absent",
            fields.file,
        )
    return hidden_size // heads


def _check_attention(fields: Fields, config: LlamaConfig) -> None:
    for key in ("attention.value_length", "rope.dimension_count"):
        size = fields.integer(key, config.head_dim)
        if size != config.head_dim:
            raise unsupported(f"{key} {size} differs from head_dim {config.head_dim}", fields.file)
    window = fields.integer("attention.sliding_window", config.max_positions)
    if window < config.max_positions:
        raise unsupported(
            f"attention slides over {window} of {config.max_positions} positions", fields.file
        )


def _read_vocab_size(fields: Fields) -> int:
    tokens = fields.values.get(_TOKENS_KEY)
    length = len(tokens) if isinstance(tokens, list) else None
    size = fields.integer("vocab_size", length)
    if length is not None and size != length:
        raise _vocab_mismatch(size, length, fields.file)
    return size


def _vocab_mismatch(size: int, length: int, file: Path) -> ModelError:
    return ModelError(
        "E0202",
        f"vocab_size expects {size} tokens, {_TOKENS_KEY} has {length}",
        file=file,
        fix="Convert the model again.",
    )
