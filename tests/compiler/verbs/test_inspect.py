"""inspect_model(): what a checkpoint holds, for directories and GGUF files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_models import VOCABULARY, runnable_config, write_gguf_model, write_model

from aretusa.errors import ModelError, UsageError
from aretusa.frontend.llama_config import Family
from aretusa.verbs.inspect import inspect_model

if TYPE_CHECKING:
    from pathlib import Path


def test_a_directory(tmp_path: Path) -> None:
    config = runnable_config(Family.QWEN3, ties_embeddings=True, layers=3)
    result = inspect_model(write_model(tmp_path / "model", config, shards=2))
    assert (result.family, result.kind, result.layers) == ("qwen3", "huggingface", 3)
    assert (result.heads, result.kv_heads, result.head_dim) == (4, 2, 32)
    assert result.cache_bytes == {"4": 3 * 2 * 2 * (16 + 4), "8": 3 * 2 * 2 * (32 + 4)}
    assert result.ties_embeddings
    assert result.tokenizer == "byte level bpe, 270 tokens, 11 merges"
    assert {tensor.stored for tensor in result.tensors} == {"real numbers"}
    shapes = {tensor.name: tensor.shape for tensor in result.tensors}
    assert shapes["model.embed_tokens.weight"] == [VOCABULARY, 64]
    counted = sum(rows * (columns or [1])[0] for rows, *columns in shapes.values())
    assert result.parameters == counted
    stored = sum(path.stat().st_size for path in (tmp_path / "model").glob("*.safetensors"))
    assert result.stored_bytes == stored


@pytest.mark.parametrize(
    ("matrix_type", "stored"),
    [
        ("Q8_0", "8 bits, groups of 32"),
        ("Q4_0", "4 bits, groups of 32"),
        ("Q4_1", "4 bits, groups of 32 with minimum"),
        ("F16", "real numbers"),
    ],
)
def test_a_gguf_file(matrix_type: str, stored: str, tmp_path: Path) -> None:
    file = write_gguf_model(tmp_path / "m.gguf", matrix_type=matrix_type)
    result = inspect_model(file)
    assert (result.kind, result.name) == ("gguf", "m")
    found = {tensor.name: tensor.stored for tensor in result.tensors}
    assert found["model.layers.0.mlp.up_proj.weight"] == stored
    assert found["model.norm.weight"] == "real numbers"


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="E0001"):
        inspect_model(tmp_path / "absent")
    with pytest.raises(ModelError, match=r"E0200.*config.json is missing"):
        inspect_model(tmp_path)
