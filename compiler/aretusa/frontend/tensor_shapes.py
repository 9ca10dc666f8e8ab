"""Which tensors a configuration calls for, in Hugging Face names, and whether they are there."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from aretusa.errors import ModelError
from aretusa.frontend.printable import printable, printable_list
from aretusa.frontend.structure import WEIGHT, ModelStructure, plain_structure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aretusa.frontend.llama_config import LlamaConfig

EMBEDDING = "model.embed_tokens.weight"
FINAL_NORM = "model.norm.weight"
HEAD = "lm_head.weight"

# Old exports store the rotary frequencies; they follow from the configuration.
_HARMLESS_ENDING = ".rotary_emb.inv_freq"

_MATCH = "Use the configuration that belongs to these weights."
_TIE = "If the head is the embedding, set tie_word_embeddings to true in config.json."


def expected_shapes(
    config: LlamaConfig, structure: ModelStructure | None = None
) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor that the model needs, in the order of the data flow."""
    structure = plain_structure(config.layers) if structure is None else structure
    shapes: dict[str, tuple[int, ...]] = {EMBEDDING: (config.vocab_size, config.hidden_size)}
    for layer in structure.stored_layers:
        for name, shape in _layer_shapes(config).items():
            shapes |= _of_structure(structure, f"model.layers.{layer}.{name}", shape)
    shapes[FINAL_NORM] = (config.hidden_size,)
    if not config.ties_embeddings:
        shapes |= _of_structure(structure, HEAD, (config.vocab_size, config.hidden_size))
    return shapes


def has_bias(config: LlamaConfig, module: str) -> bool:
    """Whether a linear layer of the model adds a bias."""
    return config.has_qkv_bias and module.endswith((".q_proj", ".k_proj", ".v_proj"))


def linear_modules(config: LlamaConfig, structure: ModelStructure) -> list[str]:
    """Names of the linear layers without their ending `.weight`."""
    dense = expected_shapes(config, ModelStructure(layer_map=structure.layer_map))
    return [
        name.removesuffix(WEIGHT)
        for name, shape in dense.items()
        if len(shape) == 2 and name != EMBEDDING
    ]


def parameter_count(config: LlamaConfig, structure: ModelStructure | None = None) -> int:
    """Numbers in all tensors of the model; a tied head and a block used twice count once."""
    return sum(prod(shape) for shape in expected_shapes(config, structure).values())


def _of_structure(
    structure: ModelStructure, name: str, shape: tuple[int, ...]
) -> dict[str, tuple[int, ...]]:
    """A tensor of the model, or the matrices that stand for it."""
    if len(shape) != 2:
        return {name: shape}
    return structure.shapes(name.removesuffix(WEIGHT), *shape)


def _layer_shapes(config: LlamaConfig) -> dict[str, tuple[int, ...]]:
    hidden, q, kv = config.hidden_size, config.q_size, config.kv_size
    shapes: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (hidden,),
        "self_attn.q_proj.weight": (q, hidden),
        "self_attn.k_proj.weight": (kv, hidden),
        "self_attn.v_proj.weight": (kv, hidden),
    }
    if config.has_qkv_bias:
        shapes["self_attn.q_proj.bias"] = (q,)
        shapes["self_attn.k_proj.bias"] = (kv,)
        shapes["self_attn.v_proj.bias"] = (kv,)
    if config.has_qk_norm:
        shapes["self_attn.q_norm.weight"] = (config.head_dim,)
        shapes["self_attn.k_norm.weight"] = (config.head_dim,)
    return shapes | {
        "self_attn.o_proj.weight": (hidden, q),
        "post_attention_layernorm.weight": (hidden,),
        "mlp.gate_proj.weight": (config.ffn_size, hidden),
        "mlp.up_proj.weight": (config.ffn_size, hidden),
        "mlp.down_proj.weight": (hidden, config.ffn_size),
    }


def check_shapes(
    found: Mapping[str, tuple[int, ...]],
    config: LlamaConfig,
    file: Path,
    structure: ModelStructure | None = None,
) -> None:
    """Raise E0202 unless exactly the expected tensors are there with the expected shapes.

    A stored head beside tied embeddings is left to the caller, who can compare the values.
    """
    expected = expected_shapes(config, structure)
    if config.ties_embeddings and HEAD in found:
        expected[HEAD] = expected[EMBEDDING]
    missing = [name for name in expected if name not in found]
    if missing:
        what = f"{len(missing)} tensors are missing: {printable_list(missing)}"
        raise _mismatch(what, file, _TIE if missing == [HEAD] else _MATCH)
    extra = sorted(n for n in found if n not in expected and not _is_harmless(n, structure))
    if extra:
        raise _mismatch(f"{len(extra)} tensors are unexpected: {printable_list(extra)}", file)
    wrong = [name for name, shape in expected.items() if found[name] != shape]
    if wrong:
        first = wrong[0]
        raise _mismatch(
            f"{len(wrong)} tensors have a wrong shape; '{printable(first)}': "
            f"expected {list(expected[first])}, found {list(found[first])}",
            file,
        )


def _is_harmless(name: str, structure: ModelStructure | None) -> bool:
    """Tensors that follow from the configuration, and those of blocks that the map leaves out."""
    is_left_out = structure is not None and structure.leaves_out(name)
    return name.endswith(_HARMLESS_ENDING) or is_left_out


def _mismatch(what: str, file: Path, fix: str = _MATCH) -> ModelError:
    why = "the configuration and the weights disagree"
    return ModelError("E0202", what, file=file, why=why, fix=fix)
