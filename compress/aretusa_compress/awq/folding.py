"""Scales of inputs: into the matrices that read them, and out of what gives them.

With s > 0 for each input, W x = (W s) (x / s), and x / s costs nothing: what gives x is linear in
its own scale, an RMS norm's weight or the rows of the matrix before. So the network computes the
same, and only the rounding of W s differs from that of W.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from aretusa_compress.model.forms import AdaptedLinear

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Place:
    """Matrices that read the same inputs, and the module that gives these inputs.

    `by_heads`: the inputs are sums of rows of the values; the query heads of one key/value head
    share its rows, and so their scales.
    """

    readers: tuple[str, ...]
    giver: str
    by_heads: bool = False


PLACES: Final = (
    Place(("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "input_layernorm"),
    Place(("self_attn.o_proj",), "self_attn.v_proj", by_heads=True),
    Place(("mlp.gate_proj", "mlp.up_proj"), "post_attention_layernorm"),
    # silu(gate) * up: linear in up.
    Place(("mlp.down_proj",), "mlp.up_proj"),
)


def shared_by_heads(block: nn.Module, place: Place, magnitudes: Tensor) -> Tensor:
    """Magnitudes [depth] of the inputs, equal where scales must be: the mean over query heads."""
    if not place.by_heads:
        return magnitudes
    attention: Any = block.get_submodule("self_attn")
    grouped = magnitudes.reshape(-1, attention.num_key_value_groups, attention.head_dim)
    return grouped.mean(dim=1, keepdim=True).expand_as(grouped).reshape(-1)


@torch.no_grad()
def fold(block: nn.Module, place: Place, scales: Tensor) -> None:
    """Multiply the columns of the readers by scales [depth], and divide what gives the inputs."""
    for name in place.readers:
        reader: Any = block.get_submodule(name)
        reader.weight.mul_(scales[None, :])
        if isinstance(reader, AdaptedLinear):
            reader.adapter_in.weight.mul_(scales[None, :])
    giver: Any = block.get_submodule(place.giver)
    given = _of_giver(block, place, scales)
    if giver.weight.ndim == 1:
        giver.weight.div_(given)
        return
    giver.weight.div_(given[:, None])
    if giver.bias is not None:
        giver.bias.div_(given)
    if isinstance(giver, AdaptedLinear):
        giver.adapter_out.weight.div_(given[:, None])


def _of_giver(block: nn.Module, place: Place, scales: Tensor) -> Tensor:
    """The scales by the rows of the giver: one of equal ones for each key/value head."""
    if not place.by_heads:
        return scales
    attention: Any = block.get_submodule("self_attn")
    grouped = scales.reshape(-1, attention.num_key_value_groups, attention.head_dim)
    return grouped[:, 0].reshape(-1)
