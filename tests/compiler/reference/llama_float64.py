"""A LLaMA forward pass in binary64, written from the papers and not from the interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aretusa.frontend.llama_config import LlamaConfig

    F64 = NDArray[np.float64]


class LlamaFloat64:
    """The whole sequence at once, no caches."""

    def __init__(self, config: LlamaConfig, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self.config = config
        self.tensors = {name: values.astype(np.float64) for name, values in tensors.items()}

    def logits(self, tokens: Sequence[int]) -> F64:
        """One row of logits per token."""
        table = self.tensors["model.embed_tokens.weight"]
        x = table[list(tokens)]
        for layer in range(self.config.layers):
            path = f"model.layers.{layer}."
            x = x + self._attention(self._norm(x, f"{path}input_layernorm"), f"{path}self_attn.")
            x = x + self._ffn(self._norm(x, f"{path}post_attention_layernorm"), f"{path}mlp.")
        head = table if self.config.ties_embeddings else self.tensors["lm_head.weight"]
        return self._norm(x, "model.norm") @ head.T

    def _norm(self, x: F64, name: str) -> F64:
        mean = np.mean(x**2, axis=-1, keepdims=True)
        return x / np.sqrt(mean + self.config.norm_eps) * self.tensors[f"{name}.weight"]

    def _linear(self, x: F64, name: str) -> F64:
        bias = self.tensors.get(f"{name}.bias", 0.0)
        return np.einsum("td,rd->tr", x, self.tensors[f"{name}.weight"]) + bias

    def _rotated(self, x: F64) -> F64:
        """Pairs (d, d + dim / 2) as complex numbers times exp(i * angle)."""
        half = self.config.head_dim // 2
        frequencies = self.config.rope_theta ** (-np.arange(half) / half)
        turn = np.exp(1j * np.outer(np.arange(x.shape[0]), frequencies))[:, None, :]
        pairs = (x[..., :half] + 1j * x[..., half:]) * turn
        return np.concatenate([pairs.real, pairs.imag], axis=-1)

    def _heads(self, x: F64, name: str, count: int) -> F64:
        heads = self._linear(x, f"{name}_proj").reshape(x.shape[0], count, -1)
        if name.endswith("v"):
            return heads
        if self.config.has_qk_norm:
            heads = self._norm(heads, f"{name}_norm")
        return self._rotated(heads)

    def _attention(self, x: F64, path: str) -> F64:
        config = self.config
        query = self._heads(x, f"{path}q", config.heads)
        key = self._heads(x, f"{path}k", config.kv_heads)
        value = self._heads(x, f"{path}v", config.kv_heads)
        out = np.zeros_like(query)
        for token in range(x.shape[0]):
            for head in range(config.heads):
                kv = head // config.heads_per_kv
                scores = key[: token + 1, kv] @ query[token, head] / np.sqrt(config.head_dim)
                weights = np.exp(scores - scores.max())
                out[token, head] = weights @ value[: token + 1, kv] / weights.sum()
        return self._linear(out.reshape(x.shape[0], -1), f"{path}o_proj")

    def _ffn(self, x: F64, path: str) -> F64:
        gate = self._linear(x, f"{path}gate_proj")
        up = self._linear(x, f"{path}up_proj")
        return self._linear(gate / (1 + np.exp(-gate)) * up, f"{path}down_proj")
