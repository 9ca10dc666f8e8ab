"""LlamaConfig -> Graph of float ops, with the weights declared but not loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.graph import Graph
from aretusa.ir.types import TOKENS, Cache, DenseType, DType, TensorType, Value, VectorType, Weight

if TYPE_CHECKING:
    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.ir.ops import Op
    from aretusa.ir.types import Dim, WeightType

FLOAT_BITS: Final = 32
EMBEDDING: Final = "model.embed_tokens.weight"
FINAL_NORM: Final = "model.norm.weight"
HEAD: Final = "lm_head.weight"


def llama_graph(config: LlamaConfig, *, name: str, chunk_max: int, context: int) -> Graph:
    """The whole model: embedding, blocks, final norm, head; one graph for prefill and decode."""
    builder = _Builder(config)
    tokens = Value("tokens", TensorType((TOKENS,), DType.TOKEN))
    builder.declare(EMBEDDING, config.vocab_size, config.hidden_size)
    hidden = builder.f32("embedded", TOKENS, config.hidden_size)
    builder.add(ops.Embed(layer=None, tokens=tokens, table=EMBEDDING, out=hidden))
    for layer in range(config.layers):
        hidden = builder.block(layer, hidden)
    logits = builder.head(hidden)
    return Graph(
        name=name,
        chunk_max=chunk_max,
        context=context,
        rope_dim=config.head_dim,
        weights=tuple(Weight(key, kind) for key, kind in builder.weights.items()),
        caches=tuple(builder.caches),
        tokens=tokens,
        ops=tuple(builder.ops),
        logits=logits,
    )


class _Builder:
    """Collects ops and declarations while the model is written down block by block."""

    def __init__(self, config: LlamaConfig) -> None:
        self.config = config
        self.weights: dict[str, WeightType] = {}
        self.caches: list[Cache] = []
        self.ops: list[Op] = []

    def f32(self, name: str, *shape: Dim) -> Value:
        return Value(name, TensorType(shape, DType.F32))

    def add(self, op: Op) -> None:
        self.ops.append(op)

    def declare(self, name: str, rows: int, depth: int) -> str:
        self.weights[name] = DenseType(rows=rows, depth=depth, bits=FLOAT_BITS)
        return name

    def declare_vector(self, name: str, size: int) -> str:
        self.weights[name] = VectorType(size)
        return name

    def norm(self, layer: int | None, src: Value, weight: str, name: str) -> Value:
        """RmsNorm along the last axis of src."""
        self.declare_vector(weight, src.type.depth)
        out = Value(name, src.type)
        eps = self.config.norm_eps
        self.add(ops.RmsNorm(layer=layer, src=src, weight=weight, eps=eps, out=out))
        return out

    def linear(self, layer: int, src: Value, module: str, rows: int, *, bias: bool) -> Value:
        """One projection of a block; the value is named after the module."""
        path = f"model.layers.{layer}.{module}"
        weight = self.declare(f"{path}.weight", rows, src.type.depth)
        bias_name = self.declare_vector(f"{path}.bias", rows) if bias else None
        out = self.f32(f"l{layer}.{module.rpartition('.')[2]}", src.type.shape[0], rows)
        self.add(
            ops.Linear(layer=layer, src=src, weight=weight, bias=bias_name, residual=None, out=out)
        )
        return out

    def heads(self, layer: int, src: Value, module: str, heads: int, *, rotates: bool) -> Value:
        """Split into heads, normalise them (Qwen3) and rotate them."""
        dim = self.config.head_dim
        value = self.f32(f"{src.name}.heads", TOKENS, heads, dim)
        self.add(ops.SplitHeads(layer=layer, src=src, out=value))
        if self.config.has_qk_norm and rotates:
            weight = f"model.layers.{layer}.self_attn.{module}.weight"
            value = self.norm(layer, value, weight, f"{src.name}.normed")
        if rotates:
            rotated = self.f32(f"{src.name}.rotated", TOKENS, heads, dim)
            self.add(ops.Rope(layer=layer, src=value, out=rotated))
            value = rotated
        return value

    def residual(self, layer: int, hidden: Value, branch: Value) -> Value:
        out = Value(f"{branch.name}.sum", hidden.type)
        self.add(ops.Add(layer=layer, lhs=hidden, rhs=branch, out=out))
        return out

    def block(self, layer: int, hidden: Value) -> Value:
        path = f"model.layers.{layer}"
        normed = self.norm(
            layer, hidden, f"{path}.input_layernorm.weight", f"l{layer}.attention_input"
        )
        attended = self.attention(layer, normed)
        hidden = self.residual(layer, hidden, attended)
        normed = self.norm(
            layer, hidden, f"{path}.post_attention_layernorm.weight", f"l{layer}.ffn_input"
        )
        return self.residual(layer, hidden, self.ffn(layer, normed))

    def attention(self, layer: int, src: Value) -> Value:
        config = self.config
        bias = config.has_qkv_bias
        query = self.linear(layer, src, "self_attn.q_proj", config.q_size, bias=bias)
        key = self.linear(layer, src, "self_attn.k_proj", config.kv_size, bias=bias)
        value = self.linear(layer, src, "self_attn.v_proj", config.kv_size, bias=bias)
        caches = (f"l{layer}.keys", f"l{layer}.values")
        self.caches.extend(Cache(name, config.kv_heads, config.head_dim) for name in caches)
        out = self.f32(f"l{layer}.attended.heads", TOKENS, config.heads, config.head_dim)
        self.add(
            ops.Attention(
                layer=layer,
                query=self.heads(layer, query, "q_norm", config.heads, rotates=True),
                key=self.heads(layer, key, "k_norm", config.kv_heads, rotates=True),
                value=self.heads(layer, value, "", config.kv_heads, rotates=False),
                key_cache=caches[0],
                value_cache=caches[1],
                out=out,
            )
        )
        merged = self.f32(f"l{layer}.attended", TOKENS, config.q_size)
        self.add(ops.MergeHeads(layer=layer, src=out, out=merged))
        return self.linear(layer, merged, "self_attn.o_proj", config.hidden_size, bias=False)

    def ffn(self, layer: int, src: Value) -> Value:
        config = self.config
        gate = self.linear(layer, src, "mlp.gate_proj", config.ffn_size, bias=False)
        up = self.linear(layer, src, "mlp.up_proj", config.ffn_size, bias=False)
        out = self.f32(f"l{layer}.activated", TOKENS, config.ffn_size)
        self.add(ops.SiluMul(layer=layer, gate=gate, up=up, out=out))
        return self.linear(layer, out, "mlp.down_proj", config.hidden_size, bias=False)

    def head(self, hidden: Value) -> Value:
        config = self.config
        row = self.f32("selected", 1, config.hidden_size)
        self.add(ops.SelectRow(layer=None, src=hidden, out=row))
        normed = self.norm(None, row, FINAL_NORM, "head_input")
        weight = EMBEDDING
        if not config.ties_embeddings:
            weight = self.declare(HEAD, config.vocab_size, config.hidden_size)
        logits = self.f32("logits", 1, config.vocab_size)
        self.add(
            ops.Linear(layer=None, src=normed, weight=weight, bias=None, residual=None, out=logits)
        )
        return logits
