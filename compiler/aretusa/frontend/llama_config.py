"""LlamaConfig: the shapes and constants of a LLaMA-family model, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Family(Enum):
    """Model families that share the LLaMA block; the value is Hugging Face's `model_type`."""

    LLAMA = "llama"
    MISTRAL = "mistral"
    QWEN2 = "qwen2"
    QWEN3 = "qwen3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Llama3RopeScaling:
    """Frequency-dependent stretch of the rotary angles (`rope_type: llama3`)."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_positions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaConfig:
    """What a LLaMA-family model looks like; every count is in elements or layers."""

    family: Family
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_size: int
    vocab_size: int
    max_positions: int
    rope_theta: float
    rope_scaling: Llama3RopeScaling | None
    norm_eps: float
    ties_embeddings: bool
    has_qkv_bias: bool
    has_qk_norm: bool

    @property
    def q_size(self) -> int:
        """Rows of the query projection."""
        return self.heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Rows of the key projection, and of the value projection."""
        return self.kv_heads * self.head_dim

    @property
    def heads_per_kv(self) -> int:
        """Query heads that share one key/value head."""
        return self.heads // self.kv_heads
