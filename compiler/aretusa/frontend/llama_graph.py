"""LlamaConfig -> Graph of float ops, with the weights declared but not loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.frontend.structure import ADAPTER, IN, LOW_RANK, OUT, WEIGHT, plain_structure
from aretusa.ir import ops
from aretusa.ir.graph import Graph
from aretusa.ir.types import TOKENS, Cache, DenseType, DType, TensorType, Value, VectorType, Weight

if TYPE_CHECKING:
    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.structure import ModelStructure
    from aretusa.ir.ops import Op
    from aretusa.ir.types import Dim, WeightType

FLOAT_BITS: Final = 32
EMBEDDING: Final = "model.embed_tokens.weight"
FINAL_NORM: Final = "model.norm.weight"
HEAD: Final = "lm_head.weight"


def llama_graph(
    config: LlamaConfig,
    structure: ModelStructure | None = None,
    *,
    name: str,
    chunk_max: int,
    context: int,
) -> Graph:
    """The whole model: embedding, blocks, final norm, head; one graph for prefill and decode."""
    builder = _Builder(config, plain_structure(config.layers) if structure is None else structure)
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


@dataclass(frozen=True, slots=True)
class _Pair:
    """Matrices PATH_in and PATH_out with `rank` numbers between them; the bias is the second's."""

    path: str
    rank: int
    bias: str | None = None


class _Builder:
    """Collects ops and declarations while the model is written down block by block."""

    def __init__(self, config: LlamaConfig, structure: ModelStructure) -> None:
        self.config = config
        self.structure = structure
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

    def path(self, layer: int) -> str:
        """Where the weights of a block are stored."""
        return f"model.layers.{self.structure.layer_map[layer]}"

    def product(
        self, layer: int | None, src: Value, name: str, out: Value, bias: str | None = None
    ) -> Value:
        """A matrix times the rows of src."""
        weight = self.declare(name, out.type.depth, src.type.depth)
        self.add(ops.Linear(layer=layer, src=src, weight=weight, bias=bias, residual=None, out=out))
        return out

    def pair(self, layer: int | None, src: Value, pair: _Pair, out: Value) -> Value:
        """Two products in a row."""
        middle = self.f32(f"{out.name}.middle", src.type.shape[0], pair.rank)
        self.product(layer, src, pair.path + IN + WEIGHT, middle)
        return self.product(layer, middle, pair.path + OUT + WEIGHT, out, pair.bias)

    def linear(
        self, layer: int | None, src: Value, module: str, out: Value, bias: str | None = None
    ) -> list[Value]:
        """What a linear layer is the sum of: its matrix or low-rank pair, then its adapter."""
        rank = self.structure.ranks.get(module)
        if rank is None:
            self.product(layer, src, module + WEIGHT, out, bias)
        else:
            self.pair(layer, src, _Pair(module + LOW_RANK, rank, bias), out)
        rank = self.structure.adapters.get(module)
        if rank is None:
            return [out]
        beside = Value(f"{out.name}.adapter", out.type)
        return [out, self.pair(layer, src, _Pair(module + ADAPTER, rank), beside)]

    def projection(
        self, layer: int, src: Value, module: str, rows: int, *, bias: bool = False
    ) -> list[Value]:
        """One projection of a block; the value is named after the module."""
        path = f"{self.path(layer)}.{module}"
        bias_name = self.declare_vector(f"{path}.bias", rows) if bias else None
        out = self.f32(f"l{layer}.{module.rpartition('.')[2]}", src.type.shape[0], rows)
        return self.linear(layer, src, path, out, bias_name)

    def whole(self, layer: int | None, terms: list[Value]) -> Value:
        """What the terms add up to."""
        return self.sum(layer, terms[0], terms[1:])

    def sum(self, layer: int | None, first: Value, terms: list[Value]) -> Value:
        """((first + term) + term) ..., in the order in which kernels add to a residual."""
        for term in terms:
            out = Value(f"{term.name}.sum", first.type)
            self.add(ops.Add(layer=layer, lhs=first, rhs=term, out=out))
            first = out
        return first

    def heads(
        self, layer: int, terms: list[Value], module: str, heads: int, *, rotates: bool
    ) -> Value:
        """Split into heads, normalise them (Qwen3) and rotate them."""
        dim = self.config.head_dim
        src = self.whole(layer, terms)
        value = self.f32(f"{src.name}.heads", TOKENS, heads, dim)
        self.add(ops.SplitHeads(layer=layer, src=src, out=value))
        if self.config.has_qk_norm and rotates:
            weight = f"{self.path(layer)}.self_attn.{module}.weight"
            value = self.norm(layer, value, weight, f"{src.name}.normed")
        if rotates:
            rotated = self.f32(f"{src.name}.rotated", TOKENS, heads, dim)
            self.add(ops.Rope(layer=layer, src=value, out=rotated))
            value = rotated
        return value

    def block(self, layer: int, hidden: Value) -> Value:
        path = self.path(layer)
        normed = self.norm(
            layer, hidden, f"{path}.input_layernorm.weight", f"l{layer}.attention_input"
        )
        hidden = self.sum(layer, hidden, self.attention(layer, normed))
        normed = self.norm(
            layer, hidden, f"{path}.post_attention_layernorm.weight", f"l{layer}.ffn_input"
        )
        return self.sum(layer, hidden, self.ffn(layer, normed))

    def attention(self, layer: int, src: Value) -> list[Value]:
        config = self.config
        bias = config.has_qkv_bias
        query = self.projection(layer, src, "self_attn.q_proj", config.q_size, bias=bias)
        key = self.projection(layer, src, "self_attn.k_proj", config.kv_size, bias=bias)
        value = self.projection(layer, src, "self_attn.v_proj", config.kv_size, bias=bias)
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
        return self.projection(layer, merged, "self_attn.o_proj", config.hidden_size)

    def ffn(self, layer: int, src: Value) -> list[Value]:
        config = self.config
        gate = self.whole(layer, self.projection(layer, src, "mlp.gate_proj", config.ffn_size))
        up = self.whole(layer, self.projection(layer, src, "mlp.up_proj", config.ffn_size))
        out = self.f32(f"l{layer}.activated", TOKENS, config.ffn_size)
        self.add(ops.SiluMul(layer=layer, gate=gate, up=up, out=out))
        return self.projection(layer, out, "mlp.down_proj", config.hidden_size)

    def head(self, hidden: Value) -> Value:
        config = self.config
        row = self.f32("selected", 1, config.hidden_size)
        self.add(ops.SelectRow(layer=None, src=hidden, out=row))
        normed = self.norm(None, row, FINAL_NORM, "head_input")
        logits = self.f32("logits", 1, config.vocab_size)
        if config.ties_embeddings:
            return self.product(None, normed, EMBEDDING, logits)
        return self.whole(None, self.linear(None, normed, HEAD.removesuffix(WEIGHT), logits))
