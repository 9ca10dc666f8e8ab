"""config.json and generation_config.json of a Hugging Face directory -> LlamaConfig and ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.errors import UnsupportedError
from aretusa.frontend.check_config import check_config, unsupported
from aretusa.frontend.compression_config import malformed
from aretusa.frontend.llama_config import Family, Llama3RopeScaling, LlamaConfig
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.fields import Fields

# What transformers assumes when the key is absent.
_DEFAULT_ROPE_THETA = 10000.0
_MISTRAL_WINDOW = 4096


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids that begin and end a text."""

    bos: int | None
    eos: tuple[int, ...]


def read_hf_config(fields: Fields, layer_map: tuple[int, ...] | None = None) -> LlamaConfig:
    """The checked configuration; whatever this compiler does not do is an error with exit 4.

    With a map of blocks the model has as many layers as the map; num_hidden_layers says that
    number, or how many are stored at least.
    """
    family = _read_family(fields)
    _refuse_foreign_setup(fields)
    _refuse_variants(fields, family)
    heads = fields.integer("num_attention_heads")
    hidden_size = fields.integer("hidden_size")
    config = LlamaConfig(
        family=family,
        hidden_size=hidden_size,
        layers=_read_layers(fields, layer_map),
        heads=heads,
        kv_heads=_read_kv_heads(fields, family, heads),
        head_dim=_read_head_dim(fields, family, hidden_size, heads),
        ffn_size=fields.integer("intermediate_size"),
        vocab_size=fields.integer("vocab_size"),
        max_positions=fields.integer("max_position_embeddings"),
        rope_theta=_read_rope_theta(fields),
        rope_scaling=_read_rope_scaling(fields),
        norm_eps=fields.real("rms_norm_eps"),
        ties_embeddings=fields.flag("tie_word_embeddings", default=False),
        has_qkv_bias=family is Family.QWEN2,
        has_qk_norm=family is Family.QWEN3,
    )
    check_config(config, fields.file)
    _check_sliding_window(fields, config)
    return config


def read_special_ids(config: Fields, generation: Fields | None, vocab_size: int) -> SpecialIds:
    """Ids from generation_config.json where it has them, else from config.json."""
    bos = _read_ids("bos_token_id", config, generation, vocab_size)
    eos = _read_ids("eos_token_id", config, generation, vocab_size)
    return SpecialIds(bos=bos[0] if bos else None, eos=eos)


def family_of(model_type: str, file: Path) -> Family:
    """The family of a model type; E0201 lists the supported ones."""
    try:
        return Family(model_type)
    except ValueError:
        known = ", ".join(family.value for family in Family)
        raise UnsupportedError(
            "E0201",
            f"model type '{printable(model_type)}' is not supported",
            file=file,
            why=f"supported: {known}",
            fix="Choose a model of a supported family.",
        ) from None


def _read_family(fields: Fields) -> Family:
    return family_of(fields.text("model_type"), fields.file)


def _read_layers(fields: Fields, layer_map: tuple[int, ...] | None) -> int:
    layers = fields.integer("num_hidden_layers")
    if layer_map is None:
        return layers
    if layers != len(layer_map) and layers <= max(layer_map):
        raise malformed(
            f"maps {len(layer_map)} blocks to stored ones from 0 to {max(layer_map)}",
            fields.file,
            f"num_hidden_layers is {layers}",
        )
    return len(layer_map)


def _refuse_foreign_setup(fields: Fields) -> None:
    if fields.get("auto_map") is not None:
        raise UnsupportedError(
            "E0125",
            "the model needs Python code of its own (auto_map)",
            file=fields.file,
            why="code from a checkpoint is never run",
            fix="Export the model with a class that ships with transformers.",
        )


def _refuse_variants(fields: Fields, family: Family) -> None:
    """Raise E0204 for options that change the block's arithmetic."""
    if fields.text("hidden_act", "silu") != "silu":
        raise unsupported("hidden_act is not silu", fields.file)
    if fields.integer("pretraining_tp", 1) != 1:
        raise unsupported("pretraining_tp is not 1", fields.file)
    for key in ("attention_bias", "mlp_bias"):
        if family is not Family.QWEN2 and fields.flag(key, default=False):
            raise unsupported(f"{key} is true", fields.file)
    if fields.real("partial_rotary_factor", 1.0) != 1.0:
        raise unsupported("only a part of each head is rotated", fields.file)
    layer_types = fields.get("layer_types")
    if isinstance(layer_types, list) and any(kind != "full_attention" for kind in layer_types):
        raise unsupported("some layers do not use full attention (layer_types)", fields.file)


def _check_sliding_window(fields: Fields, config: LlamaConfig) -> None:
    match config.family:
        case Family.QWEN2 | Family.QWEN3:
            if fields.flag("use_sliding_window", default=False):
                raise unsupported("use_sliding_window is true", fields.file)
        case Family.LLAMA | Family.MISTRAL:
            is_default = config.family is Family.MISTRAL and "sliding_window" not in fields.values
            default = _MISTRAL_WINDOW if is_default else config.max_positions
            window = fields.integer("sliding_window", default)
            if window < config.max_positions:
                raise unsupported(
                    f"attention slides over {printable(str(window), 24)} "
                    f"of {config.max_positions} positions",
                    fields.file,
                )


def _read_kv_heads(fields: Fields, family: Family, heads: int) -> int:
    # Only LLaMA files from before grouped attention leave the key out.
    default = heads if family is Family.LLAMA else None
    return fields.integer("num_key_value_heads", default)


def _read_head_dim(fields: Fields, family: Family, hidden_size: int, heads: int) -> int:
    # The heads of Qwen3 are not cut out of the hidden size, so it must say how wide they are.
    if family is Family.QWEN3 or fields.get("head_dim") is not None:
        return fields.integer("head_dim")
    if heads < 1 or hidden_size % heads:
        raise unsupported(
            f"hidden_size {printable(str(hidden_size), 24)} does not divide into "
            f"{printable(str(heads), 24)} heads, and head_dim is absent",
            fields.file,
        )
    return hidden_size // heads


def _rope_table(fields: Fields) -> Fields | None:
    """What transformers 5 calls rope_parameters and older versions rope_scaling."""
    parameters, scaling = fields.table("rope_parameters"), fields.table("rope_scaling")
    if parameters is not None and scaling is not None:
        both_say = [
            {key: value for key, value in table.values.items() if key != "rope_theta"}
            for table in (parameters, scaling)
        ]
        if both_say[0] != both_say[1]:
            raise unsupported("rope_parameters and rope_scaling contradict", fields.file)
    return parameters if parameters is not None else scaling


def _read_rope_theta(fields: Fields) -> float:
    outer = fields.get("rope_theta")
    table = _rope_table(fields)
    if table is None or table.get("rope_theta") is None:
        return fields.real("rope_theta", _DEFAULT_ROPE_THETA)
    inner = table.real("rope_theta")
    if outer is not None and fields.real("rope_theta") != inner:
        raise unsupported("two different values of rope_theta", fields.file)
    return inner


def _read_rope_scaling(fields: Fields) -> Llama3RopeScaling | None:
    table = _rope_table(fields)
    if table is None:
        return None
    if table.real("partial_rotary_factor", 1.0) != 1.0:
        raise unsupported("only a part of each head is rotated", fields.file)
    kind = table.text("rope_type", table.text("type", "default"))
    match kind:
        case "default":
            return None
        case "llama3":
            return Llama3RopeScaling(
                factor=table.real("factor"),
                low_freq_factor=table.real("low_freq_factor"),
                high_freq_factor=table.real("high_freq_factor"),
                original_max_positions=table.integer("original_max_position_embeddings"),
            )
        case _:
            raise unsupported(
                f"rope type '{printable(kind)}' (known: default, llama3)", fields.file
            )


def _read_ids(
    key: str, config: Fields, generation: Fields | None, vocab_size: int
) -> tuple[int, ...]:
    source = generation if generation is not None and generation.get(key) is not None else config
    value = source.get(key)
    ids = value if isinstance(value, list) else [] if value is None else [value]
    for token_id in ids:
        if type(token_id) is not int or not 0 <= token_id < vocab_size:
            raise source.error(key, f"must be ids from 0 to {vocab_size - 1}")
    return tuple(dict.fromkeys(ids))
