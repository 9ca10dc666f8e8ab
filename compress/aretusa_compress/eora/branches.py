"""Branches of low rank that take back what quantisation lost, as the inputs weigh it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from aretusa_compress.model import forms
from aretusa_compress.model.blocks import enter
from aretusa_compress.model.layer_inputs import after_block, input_moments
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.solvers.low_rank import truncate_for_inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.solvers.low_rank import Factors


def find_branches(
    original: Model,
    quantised: Model,
    windows: Tensor,
    rank: int,
    *,
    progress: Callable[[int, int], None],
) -> dict[str, Factors]:
    """Factors for every matrix by name; the quantised model gets them as adapters.

    Both models have the same blocks. Block after block the quantised one runs with the branches of
    the blocks before, so that each branch sees the inputs that it will have.
    """
    assert original.layer_map == quantised.layer_map, "not the same blocks"
    entries = [enter(quantised, window[None]) for window in windows]
    hidden = [entry.hidden for entry in entries]
    branches: dict[str, Factors] = {}
    place, seen = quantised.layer_map, set[int]()
    for index, block in enumerate(quantised.blocks):
        arguments = [entry.arguments[index] for entry in entries]
        if place[index] not in seen:
            seen.add(place[index])
            moments = input_moments(block, hidden, arguments)
            for name in MATRICES:
                exact = original.blocks[index].get_submodule(name).weight.detach()
                layer = block.get_submodule(name)
                lost = (exact.double() - layer.weight.detach().double()).cpu()
                factors = truncate_for_inputs(lost, moments[name].mean, min(rank, *lost.shape))
                branches[f"model.layers.{place[index]}.{name}"] = factors
                _attach(quantised, f"model.layers.{index}.{name}", factors)
        hidden = after_block(block, hidden, arguments)
        progress(index + 1, len(quantised.blocks))
    return branches


def _attach(model: Model, name: str, factors: Factors) -> None:
    adapted = forms.adapt(model.network, name, factors.inner.shape[0])
    with torch.no_grad():
        adapted.adapter_in.weight.copy_(factors.inner)
        adapted.adapter_out.weight.copy_(factors.outer)
