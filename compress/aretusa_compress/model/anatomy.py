"""ANATOMIES: what the parts of a network are called, family by family."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from aretusa_compress.recipe.matrices import READERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """Names: `body` in the network, `blocks` and `norm` in the body, the others in a block.

    Matrices of one row of `readers` read the same values. `returns_tuple` says that a block returns
    its hidden states as the first of several things. `masks` are tensors that old files hold and
    the network makes by itself.
    """

    body: str
    blocks: str
    norm: str
    attention: str
    feed_forward: str
    readers: tuple[tuple[str, ...], ...]
    returns_tuple: bool = False
    masks: tuple[str, ...] = ()

    @property
    def matrices(self) -> tuple[str, ...]:
        """The matrices of a block, in the order in which they run."""
        return tuple(name for names in self.readers for name in names)

    @property
    def prefix(self) -> str:
        """What the name of every tensor of a block begins with."""
        return f"{self.body}.{self.blocks}"


_LLAMA: Final = Anatomy(
    body="model",
    blocks="layers",
    norm="norm",
    attention="self_attn",
    feed_forward="mlp",
    readers=READERS,
)
_GPT_NEO: Final = Anatomy(
    body="transformer",
    blocks="h",
    norm="ln_f",
    attention="attn.attention",
    feed_forward="mlp",
    readers=(
        ("attn.attention.q_proj", "attn.attention.k_proj", "attn.attention.v_proj"),
        ("attn.attention.out_proj",),
        ("mlp.c_fc",),
        ("mlp.c_proj",),
    ),
    returns_tuple=True,
    masks=("attn.attention.bias", "attn.attention.masked_bias"),
)

COMPILED: Final = ("llama", "mistral", "qwen2", "qwen3")  # those that the compiler takes
ANATOMIES: Final = {**dict.fromkeys(COMPILED, _LLAMA), "gpt_neo": _GPT_NEO}

# A tensor of a block: prefix, number of the block, name in the block.
BLOCK_TENSOR: Final = re.compile(r"(model\.layers|transformer\.h)\.(\d+)\.(.*)")
