"""A LLaMA decoder in plain PyTorch, with the names and numerics of Hugging Face's."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention, silu


@dataclass(frozen=True)
class Config:
    """The fields of config.json that shape the network."""

    hidden_size: int = 252
    num_hidden_layers: int = 8
    num_attention_heads: int = 9
    num_key_value_heads: int = 3
    head_dim: int = 28
    intermediate_size: int = 756
    vocab_size: int = 2048
    max_position_embeddings: int = 512
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5


CONSTANT_FIELDS = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "mlp_bias": False,
    "tie_word_embeddings": True,
    "initializer_range": 0.02,
    "pretraining_tp": 1,
    "rope_scaling": None,
    "use_cache": True,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "torch_dtype": "bfloat16",
}


def rotary_tables(config: Config) -> tuple[Tensor, Tensor]:
    """Cosine and sine, each [position, head_dim / 2]."""
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    positions = torch.arange(config.max_position_embeddings, dtype=torch.float32)
    angles = torch.outer(positions, config.rope_theta**-exponents)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary embedding of [batch, head, position, head_dim]; pairs are half a head apart."""
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cosine - high * sine, high * cosine + low * sine), dim=-1)


class RMSNorm(nn.Module):
    """Root mean square norm with a gain."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Divide by the root mean square of the last axis, times the gain."""
        return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps))


class Attention(nn.Module):
    """Causal self-attention with grouped keys and values."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        query = config.num_attention_heads * config.head_dim
        key = config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, query, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, key, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, key, bias=False)
        self.o_proj = nn.Linear(query, config.hidden_size, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Mix positions of [batch, position, hidden]."""
        batch, length, _ = x.shape
        shape = (batch, length, -1, self.config.head_dim)
        query = rotate(self.q_proj(x).view(shape).transpose(1, 2), cosine, sine)
        key = rotate(self.k_proj(x).view(shape).transpose(1, 2), cosine, sine)
        value = self.v_proj(x).view(shape).transpose(1, 2)
        groups = self.config.num_attention_heads // self.config.num_key_value_heads
        key, value = (t.repeat_interleave(groups, dim=1) for t in (key, value))
        mixed = scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))


class FeedForward(nn.Module):
    """Gated feed-forward block."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """SiLU(gate) times up, then down."""
        return self.down_proj(silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Attention and feed-forward, each behind its norm and beside the residual."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = FeedForward(config)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """One step of the residual stream."""
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """Token ids [batch, position] to logits [batch, position, vocabulary]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        cosine, sine = rotary_tables(config)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of the token after each position."""
        length = ids.shape[1]
        cosine, sine = self.cosine[:length], self.sine[:length]
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cosine, sine)
        return linear(self.norm(x), self.embed_tokens.weight)


def save_checkpoint(state: dict[str, Tensor], config: Config, folder: Path) -> None:
    """Write config.json and bf16 model.safetensors as LlamaForCausalLM reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{k}": v.to(torch.bfloat16).contiguous() for k, v in state.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    fields = {**CONSTANT_FIELDS, **asdict(config)}
    text = json.dumps(dict(sorted(fields.items())), indent=2)
    (folder / "config.json").write_text(text + "\n")


def load_checkpoint(folder: Path) -> Llama:
    """The network of a folder that `save_checkpoint` wrote, in float32."""
    fields = json.loads((folder / "config.json").read_text())
    config = Config(**{name: fields[name] for name in Config.__dataclass_fields__})
    model = Llama(config)
    tensors = load_file(folder / "model.safetensors")
    model.load_state_dict({k.removeprefix("model."): v.float() for k, v in tensors.items()})
    return model.eval()
