"""Adapters of peft on a network: put on, kept off pruned weights, merged or stored beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from peft import LoraConfig
from peft.tuners.lora import Linear
from torch import Tensor, nn

from aretusa_compress.lora.options import Keep, LoraOptions
from aretusa_compress.model import forms
from aretusa_compress.run.context import cannot_apply

if TYPE_CHECKING:
    from aretusa_compress.model.loaded import Model

NAME: Final = "default"  # what peft calls an adapter


def attach(network: nn.Module, options: LoraOptions) -> dict[str, Any]:
    """Give the chosen matrices adapters, B at zero; returns them by the name of the matrix."""
    ends = tuple(f".{name}" for name in options.matrices)
    names = [name for name, _ in network.named_modules() if name.endswith(ends)]
    for name in names:
        if not isinstance(network.get_submodule(name), nn.Linear):
            raise cannot_apply(
                f"{name} is no single matrix",
                "adapters of peft need one",
                "Leave the matrix out of matrices, or put lora before the stage that factors",
            )
    setting = LoraConfig(r=options.rank, lora_alpha=options.alpha, lora_dropout=options.dropout)
    network.requires_grad_(requires_grad=False)
    layers = {name: _adapted(network, name, setting) for name in names}
    for layer in layers.values():
        _spare_zeros(layer, options)
    return layers


def _adapted(network: nn.Module, name: str, setting: LoraConfig) -> Any:  # noqa: ANN401
    """The layer of that name inside peft's, whose adapter is binary32.

    peft's own search for a layer's class imports every quantisation library that is installed.
    """
    parent, _, child = name.rpartition(".")
    base = network.get_submodule(name)
    layer = Linear(base, NAME, setting, r=setting.r, lora_alpha=setting.lora_alpha)
    for side in (layer.lora_A, layer.lora_B):
        side[NAME].float().requires_grad_(requires_grad=True)
    setattr(network.get_submodule(parent), child, layer)
    return layer


def trained(layers: dict[str, Any]) -> dict[str, nn.Parameter]:
    """The parameters that training changes, by name."""
    return {
        f"{name}.{side}": getattr(layer, side)[NAME].weight
        for name, layer in layers.items()
        for side in ("lora_A", "lora_B")
    }


def _spare_zeros(layer: Any, options: LoraOptions) -> None:  # noqa: ANN401
    """Let the adapter have no effect at weights that are zero, as after the merge.

    The merged weight is W + mask * (B A). While it is trained the adapter is a branch, so what B A
    would do at the zeros is taken off its output; otherwise the training would rely on weights that
    the merge drops.
    """
    zeros = layer.get_base_layer().weight == 0
    if options.keep is Keep.BRANCH or not bool(zeros.any()):
        return

    def subtract(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ANN401
        a, b = module.lora_A[NAME].weight, module.lora_B[NAME].weight
        dropped = ((b @ a) * zeros).to(output.dtype) * module.scaling[NAME]
        return output - nn.functional.linear(inputs[0], dropped)

    layer.register_forward_hook(subtract)


@torch.no_grad()
def keep_adapters(model: Model, tensors: dict[str, Tensor], options: LoraOptions) -> None:
    """Put trained adapters into a model without them: into its weights, or as branches."""
    scaling = options.alpha / options.rank
    names = sorted({name.removesuffix(".lora_A").removesuffix(".lora_B") for name in tensors})
    for name in names:
        linear = model.network.get_submodule(name)
        weight = linear.weight
        a = tensors[f"{name}.lora_A"].to(weight.device, torch.float32)
        b = tensors[f"{name}.lora_B"].to(weight.device, torch.float32) * scaling
        if options.keep is Keep.MERGED:
            merged = weight.float() + (b @ a) * (weight != 0)
            weight.copy_(merged.to(weight.dtype))
        else:
            _branch(model, name, a, b)


def _branch(model: Model, name: str, a: Tensor, b: Tensor) -> None:
    """Store an adapter beside its matrix; one that is there is continued: ranks add up."""
    old = model.network.get_submodule(name)
    if isinstance(old, forms.AdaptedLinear):
        a = torch.cat([old.adapter_in.weight.float(), a])
        b = torch.cat([old.adapter_out.weight.float(), b], dim=1)
    layer = forms.adapt(model.network, name, a.shape[0])
    layer.adapter_in.weight.copy_(a)
    layer.adapter_out.weight.copy_(b)
