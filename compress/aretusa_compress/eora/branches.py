"""Branches of low rank that take back what quantisation lost, as the inputs weigh it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from aretusa_compress.model import forms
from aretusa_compress.model.blocks import enter
from aretusa_compress.model.forms import ADAPTER_IN, ADAPTER_OUT
from aretusa_compress.model.layer_inputs import after_block, input_moments
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.solvers.low_rank import Factors, truncate_for_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.state import StageState
    from aretusa_compress.solvers.moments import Moments


def find_branches(
    original: Model,
    quantised: Model,
    windows: Tensor,
    rank: int,
    state: StageState,
    *,
    progress: Callable[[int, int], None],
) -> dict[str, Factors]:
    """Factors for every matrix by name; the quantised model gets them as adapters.

    Both models have the same blocks. Block after block the quantised one runs with the branches of
    the blocks before, so that each branch sees the inputs that it will have. The branches of each
    block are kept in `state`.
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
            found = _kept(state, index)
            if not found:
                moments = input_moments(block, hidden, arguments)
                found = _of_block(original.blocks[index], block, moments, rank)
                _keep(state, index, found)
            for name, factors in found.items():
                branches[f"model.layers.{place[index]}.{name}"] = factors
                _attach(quantised, f"model.layers.{index}.{name}", factors)
        hidden = after_block(block, hidden, arguments)
        progress(index + 1, len(quantised.blocks))
    return branches


def _of_block(
    original: nn.Module, quantised: nn.Module, moments: Mapping[str, Moments], rank: int
) -> dict[str, Factors]:
    found: dict[str, Factors] = {}
    for name in MATRICES:
        exact = original.get_submodule(name).weight.detach().cpu()
        layer = quantised.get_submodule(name)
        lost = exact.double() - layer.weight.detach().cpu().double()
        found[name] = truncate_for_inputs(lost, moments[name].mean, min(rank, *lost.shape))
    return found


def _keep(state: StageState, index: int, found: Mapping[str, Factors]) -> None:
    tensors = {f"{name}{ADAPTER_IN}": factors.inner for name, factors in found.items()}
    tensors |= {f"{name}{ADAPTER_OUT}": factors.outer for name, factors in found.items()}
    state.write_tensors(f"block-{index}", {n: one.contiguous() for n, one in tensors.items()})


def _kept(state: StageState, index: int) -> dict[str, Factors]:
    """Branches of a block that an earlier run of the stage found; none if it did not get there."""
    tensors = state.read_tensors(f"block-{index}")
    if tensors is None:
        return {}
    return {
        name: Factors(inner=tensors[f"{name}{ADAPTER_IN}"], outer=tensors[f"{name}{ADAPTER_OUT}"])
        for name in MATRICES
    }


def _attach(model: Model, name: str, factors: Factors) -> None:
    adapted = forms.adapt(model.network, name, factors.inner.shape[0])
    with torch.no_grad():
        adapted.adapter_in.weight.copy_(factors.inner)
        adapted.adapter_out.weight.copy_(factors.outer)
