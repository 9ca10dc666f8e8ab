"""Rotate a network exactly: gains of norms go into matrices, rotations into pairs of matrices.

RMSNorm without a gain commutes with a rotation, so x Q can stand for the stream x everywhere when
the embedding and all matrices that write into it are multiplied by Q, and all that read from it
undo that (QuaRot, arXiv 2404.00456; SliceGPT, arXiv 2401.15024). What a head computes is linear in
its values, so that values can be rotated before attention and back in the output projection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from aretusa_compress.model.forms import AdaptedLinear
from aretusa_compress.model.load import OWN_KEY
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.run.context import cannot_apply

if TYPE_CHECKING:
    from torch import Tensor

    from aretusa_compress.model.loaded import Model

# Norms of a block with the matrices that read what they give, and matrices that write.
_READERS: Final = {
    "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
}
_WRITERS: Final = ("self_attn.o_proj", "mlp.down_proj")


def check_can_rotate(model: Model) -> None:
    """Raise UsageError E0508 for models whose matrices hold more, or less, than plain numbers."""
    if (model.config.get(OWN_KEY) or {}).get("sparsity"):
        raise cannot_apply(
            "a rotation would fill the zeros of pruned matrices",
            "every value becomes a mixture of others",
            "Put rotate before width, or leave it out",
        )
    for index, block in enumerate(model.blocks):
        for name in MATRICES:
            layer = block.get_submodule(name)
            if not isinstance(layer, nn.Linear) or isinstance(layer, AdaptedLinear):
                raise cannot_apply(
                    f"block {index}'s {name} is no single matrix",
                    "an earlier stage has factored it or put an adapter beside it",
                    "Put rotate before that stage",
                )


@torch.no_grad()
def rotate_residual(model: Model, turn: Tensor) -> None:
    """Let the stream between blocks be x Q for `turn` Q [hidden, hidden], orthogonal."""
    _untie(model)
    network, body = model.network, model.body
    _fold(model.norm, [network.get_submodule("lm_head")], turn)
    table = body.get_submodule("embed_tokens")
    _set(table.weight, table.weight.double() @ turn)
    for block in _distinct(model):
        for norm, names in _READERS.items():
            _fold(block.get_submodule(norm), [block.get_submodule(name) for name in names], turn)
        for name in _WRITERS:
            layer = block.get_submodule(name)
            _set(layer.weight, turn.T @ layer.weight.double())
            if layer.bias is not None:
                _set(layer.bias, layer.bias.double() @ turn)


@torch.no_grad()
def rotate_values(model: Model, turn: Tensor) -> None:
    """Let every head's values be R v for `turn` R [head, head], orthogonal."""
    size = turn.shape[0]
    for block in _distinct(model):
        layer, output = (block.get_submodule(f"self_attn.{name}") for name in ("v_proj", "o_proj"))
        heads = layer.weight.double().unflatten(0, (-1, size))
        _set(layer.weight, torch.einsum("rc,hck->hrk", turn, heads).flatten(0, 1))
        if layer.bias is not None:
            _set(layer.bias, (layer.bias.double().unflatten(0, (-1, size)) @ turn.T).flatten())
        columns = output.weight.double().unflatten(1, (-1, size))
        _set(output.weight, (columns @ turn.T).flatten(1, 2))


def _distinct(model: Model) -> list[nn.Module]:
    """Blocks that share weights are turned once."""
    return list(dict(zip(model.origins, model.blocks, strict=True)).values())


def _fold(norm: nn.Module, readers: list[nn.Module], turn: Tensor) -> None:
    """Readers take the gain of the norm, which becomes 1, and undo the rotation."""
    gain = norm.weight.double()
    for layer in readers:
        _set(layer.weight, (layer.weight.double() * gain) @ turn)
    _set(norm.weight, torch.ones_like(gain))


def _untie(model: Model) -> None:
    """Give the head a matrix of its own: it takes the gain of the last norm, the embedding not."""
    network = model.network
    if network.config.tie_word_embeddings:
        head = network.get_submodule("lm_head")
        head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
        network.config.tie_word_embeddings = False
        model.config["tie_word_embeddings"] = False


def _set(parameter: Tensor, values: Tensor) -> None:
    parameter.copy_(values)
