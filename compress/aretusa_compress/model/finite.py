"""check_loss(): a loss that is no number is an error that names the layer where it began."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from aretusa_compress.errors import NumericsError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from aretusa_compress.model.loaded import Model


def check_loss(loss: float, model: Model, ids: Tensor, when: str) -> None:
    """Raise NumericsError E0506 unless the loss is finite."""
    if not math.isfinite(loss):
        layer = first_bad_layer(model.network, ids)
        raise not_finite(f"the loss is {loss} at {when}", layer)


def not_finite(what: str, layer: str) -> NumericsError:
    """The error for numbers that went astray."""
    return NumericsError(
        "E0506",
        what,
        why=f"the first layer whose output is not finite: {layer}",
        fix="Set dtype to float32, lower learning_rate, or look at the weights of that layer",
    )


@torch.no_grad()
def first_bad_layer(network: nn.Module, ids: Tensor) -> str:
    """Name of the first module, in the order of running, whose output holds NaN or infinity."""
    found: list[str] = []

    def look(name: str) -> Any:  # noqa: ANN401
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            is_bad = isinstance(output, torch.Tensor) and not bool(torch.isfinite(output).all())
            if is_bad and not found:
                found.append(name)

        return hook

    leaves = [(name, module) for name, module in network.named_modules() if name]
    handles = [module.register_forward_hook(look(name)) for name, module in leaves]
    try:
        network(input_ids=ids)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else "none in a second pass"
