"""Whether the work fits the memory of this computer, said before it begins."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from aretusa_compress.errors import CapacityError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

_CGROUP: Final = Path("/sys/fs/cgroup")
FLOAT32_BYTES: Final = 4
WEIGHT_PARTS: Final = ("weights", "gradients")  # parts of a need that lie where blocks lie
LIBRARY_BYTES: Final = 700 * 10**6  # Python with torch, transformers and peft loaded


@dataclass(frozen=True, slots=True)
class Shape:
    """Numbers of a model that memory depends on; from config.json."""

    hidden: int
    ffn: int
    layers: int
    vocabulary: int
    attention_rows: int  # of q_proj, k_proj and v_proj together
    heads_width: int  # columns of o_proj
    has_own_head: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape:
        """The shape of a model; GPT-Neo, with names of its own, has two matrices in a feed-forward.

        Memory is then a little less than it is taken for.
        """
        heads = int(config.get("num_attention_heads") or config["num_heads"])
        hidden = int(config["hidden_size"])
        width = int(config.get("head_dim") or hidden // heads)
        kv_heads = int(config.get("num_key_value_heads") or heads)
        return cls(
            hidden=hidden,
            ffn=int(config.get("intermediate_size") or 4 * hidden),
            layers=int(config.get("num_hidden_layers") or config["num_layers"]),
            vocabulary=int(config["vocab_size"]),
            attention_rows=(heads + 2 * kv_heads) * width,
            heads_width=heads * width,
            has_own_head=not config.get(
                "tie_word_embeddings", config.get("model_type") == "gpt_neo"
            ),
        )

    @property
    def block_weights(self) -> int:
        """Weights of the matrices of a block."""
        attention = self.attention_rows * self.hidden + self.hidden * self.heads_width
        return attention + 3 * self.hidden * self.ffn

    @property
    def weights(self) -> int:
        """Weights of all matrices."""
        return self.layers * self.block_weights + (1 + self.has_own_head) * self.embedding

    @property
    def embedding(self) -> int:
        """Weights of the embedding."""
        return self.vocabulary * self.hidden

    def logits_bytes(self, tokens: int) -> int:
        """Logits of so many tokens in binary32, and their logarithms."""
        return 2 * FLOAT32_BYTES * tokens * self.vocabulary

    def block_activation_bytes(self, tokens: int, value_bytes: int) -> int:
        """What one block computes for so many tokens and keeps for a backward pass."""
        values = 4 * self.hidden + self.attention_rows + self.heads_width + 4 * self.ffn
        return tokens * values * value_bytes


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of a stage by what they are for."""

    parts: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        """All of them at the same time."""
        return sum(self.parts.values())


def free_bytes(device: torch.device) -> int:
    """Memory that this process may still take: of the GPU, or of the computer and control group."""
    if device.type == "cuda":
        import torch  # noqa: PLC0415 - slow to load

        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        return free if limit == "max" else min(free, int(limit) - used)
    except (OSError, ValueError):  # no control groups of version 2
        return free


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def need_by_gpu(need: Need, free: Sequence[int], weight_share: float) -> list[int]:
    """Bytes that each of several GPUs is estimated to need, given the free bytes of each.

    Weights fill one GPU after the other up to `weight_share` of what is free there; all else is
    counted on each, for any may run the block that needs most.
    """
    weights = sum(size for name, size in need.parts.items() if name in WEIGHT_PARTS)
    rest = need.total_bytes - weights
    needs: list[int] = []
    for index, room in enumerate(free):
        is_last = index == len(free) - 1
        here = weights if is_last else min(weights, int(room * weight_share))
        weights -= here
        needs.append(here + rest)
    return needs


def check_need(stage: str, need: Need, available_bytes: int) -> None:
    """Raise CapacityError E0507 if a stage needs more than there is."""
    if need.total_bytes <= available_bytes:
        return
    parts = ", ".join(f"{name} {size / 2**20:,.0f} MiB" for name, size in need.parts.items())
    raise CapacityError(
        "E0507",
        f"the stage {stage} ({parts})",
        need_bytes=need.total_bytes,
        free_bytes=available_bytes,
        fix="Set dtype to bfloat16, take fewer or shorter windows of text or a smaller batch",
    )
