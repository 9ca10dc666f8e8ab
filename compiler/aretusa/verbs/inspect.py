"""inspect_model(): what a checkpoint holds, without compiling it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.driver import parameter_count
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.structure import WEIGHT
from aretusa.ir.types import Cache
from aretusa.quantization.cache_bits import CACHE_WIDTHS
from aretusa.results import InspectResult, TensorResult
from aretusa.tokenizer_files import read_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.checkpoint import Checkpoint
    from aretusa.frontend.llama_config import LlamaConfig


def inspect_model(model: Path) -> InspectResult:
    """Shapes, families and formats; tensors are read one at a time."""
    checkpoint = open_checkpoint(model)
    config = checkpoint.config
    return InspectResult(
        path=str(model),
        name=checkpoint.name,
        kind=checkpoint.kind,
        family=config.family.value,
        parameters=parameter_count(checkpoint),
        stored_bytes=sum(path.stat().st_size for path in checkpoint.store.files),
        layers=config.layers,
        hidden_size=config.hidden_size,
        heads=config.heads,
        kv_heads=config.kv_heads,
        head_dim=config.head_dim,
        ffn_size=config.ffn_size,
        vocabulary=config.vocab_size,
        max_positions=config.max_positions,
        cache_bytes=_cache_bytes(config),
        ties_embeddings=config.ties_embeddings,
        tokenizer=_describe_tokenizer(checkpoint),
        chat_template_sha256=checkpoint.chat_template_sha256,
        tensors=[
            TensorResult(
                name=name,
                shape=list(checkpoint.store.shapes[name]),
                stored=_stored(checkpoint, name),
            )
            for name in checkpoint.tensor_names
        ],
    )


def _cache_bytes(config: LlamaConfig) -> dict[str, int]:
    """Keys and values of a position in all layers, by the width that they are given."""
    return {
        str(bits): 2
        * config.layers
        * Cache("", config.kv_heads, config.head_dim, bits).size_bytes(context=1)
        for bits in CACHE_WIDTHS
    }


def _stored(checkpoint: Checkpoint, name: str) -> str:
    label = checkpoint.store.labels.get(name, "real numbers")
    pattern = checkpoint.structure.sparsity.get(name.removesuffix(WEIGHT))
    return label if pattern is None else f"{label}, {pattern[0]}:{pattern[1]} zero columns"


def _describe_tokenizer(checkpoint: Checkpoint) -> str:
    tokenizer = read_tokenizer(checkpoint)
    kind = tokenizer.kind.name.lower().replace("_", " ")
    return f"{kind}, {tokenizer.vocab_size} tokens, {len(tokenizer.merges)} merges"
