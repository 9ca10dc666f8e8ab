"""tunable(): a checkpoint of codes as a network whose scales and gains can learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from aretusa_compress.model.forms import ADAPTER_IN, ADAPTER_OUT, CODES, SCALES, AdaptedLinear
from aretusa_compress.tune.layers import CodedEmbedding, CodedLinear, CodedMatrix, TunedNorm
from aretusa_compress.tune.options import Part

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aretusa_compress.model.loaded import Model

_NORMS: Final = ("input_layernorm", "post_attention_layernorm")
_EMBEDDING: Final = "model.embed_tokens"
_HEAD: Final = "lm_head"


@dataclass(frozen=True, slots=True)
class Tunable:
    """Layers of a network by the names of their checkpoint; those of shared blocks once."""

    matrices: dict[str, CodedMatrix]
    norms: dict[str, TunedNorm]
    branches: dict[str, nn.Parameter]

    def parameters(self, parts: Collection[Part]) -> dict[str, nn.Parameter]:
        """What learns."""
        found: dict[str, nn.Parameter] = {}
        if Part.SCALES in parts:
            found |= {f"{name}{SCALES}": one.change for name, one in self.matrices.items()}
        if Part.NORMS in parts:
            found |= {f"{name}.weight": one.change for name, one in self.norms.items()}
        if Part.BRANCHES in parts:
            found |= self.branches
        return found

    @torch.no_grad()
    def learned(self) -> dict[str, Tensor]:
        """Tensors of the checkpoint as they are now, float32."""
        found = {f"{name}{SCALES}": one.scales() for name, one in self.matrices.items()}
        found |= {f"{name}.weight": one.gains() for name, one in self.norms.items()}
        found |= {name: value.detach() for name, value in self.branches.items()}
        return {name: value.to("cpu", torch.float32).contiguous() for name, value in found.items()}


def tunable(model: Model, stored: Mapping[str, Tensor]) -> Tunable:
    """Put layers of codes into a decoded model; `stored` are the tensors of its checkpoint."""
    found = Tunable({}, {}, {})
    device = next(model.network.parameters()).device
    for name, codes in sorted(stored.items()):
        if name.endswith(CODES):
            matrix = name.removesuffix(CODES)
            found.matrices[matrix] = CodedMatrix(codes, stored[f"{matrix}{SCALES}"], device)
    for index, origin in enumerate(model.origins):
        _open_block(model.blocks[index], f"{model.anatomy.prefix}.{origin}", found)
    _open_tables(model, found)
    model.body.norm = found.norms.setdefault("model.norm", TunedNorm(model.norm))
    return found


def _open_block(block: nn.Module, prefix: str, found: Tunable) -> None:
    for name in _NORMS:
        own = f"{prefix}.{name}"
        norm = found.norms.get(own) or TunedNorm(block.get_submodule(name))
        found.norms[own] = norm
        setattr(block, name, norm)
    for name, layer in list(block.named_modules()):
        if not isinstance(layer, nn.Linear):
            continue
        if isinstance(layer, AdaptedLinear):
            for ending in (ADAPTER_IN, ADAPTER_OUT):
                found.branches[f"{prefix}.{name}{ending}"] = layer.get_parameter(ending[1:])
        matrix = found.matrices.get(f"{prefix}.{name}")
        if matrix is not None:
            _put(block, name, CodedLinear(layer, matrix))


def _open_tables(model: Model, found: Tunable) -> None:
    """Embedding and head where they have codes; those of a tied head are the embedding's."""
    if _EMBEDDING in found.matrices:
        model.body.embed_tokens = CodedEmbedding(found.matrices[_EMBEDDING])
    is_tied = model.network.config.tie_word_embeddings
    head = found.matrices.get(_EMBEDDING if is_tied else _HEAD)
    if head is not None:
        model.network.lm_head = CodedLinear(model.network.get_submodule(_HEAD), head)


def _put(block: nn.Module, name: str, layer: CodedLinear) -> None:
    parent, _, child = name.rpartition(".")
    setattr(block.get_submodule(parent), child, layer)
