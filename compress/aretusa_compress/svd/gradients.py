"""Gradients of the loss at the outputs of matrices: how much an error of them counts, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from aretusa_compress.model.blocks import enter, next_token_nats, run_blocks, windows_on
from aretusa_compress.model.finite import check_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.svd.decompositions import Place


def output_gradients(
    model: Model, places: list[Place], windows: Tensor, progress: Progress
) -> dict[str, float]:
    """Mean square of the loss's gradient at each output of each matrix, by its short name.

    An error e of the outputs changes the loss by (g e)^2 / 2 in the mean, if the model is at home
    with the text (Fisher's approximation of the second derivative); for an error without direction
    that is the mean square of g times the square of e.
    """
    found = {place: _MeanSquare() for place in places}
    _watch(model, {place: one.add for place, one in found.items()}, windows, progress)
    return {place.short: one.total / max(one.count, 1) for place, one in found.items()}


def output_moments(
    model: Model, places: list[Place], windows: Tensor, progress: Progress
) -> dict[str, Tensor]:
    """E[g g^T] of the loss's gradients g at the outputs of each matrix, by its short name.

    With it the change of the loss by an error e of the outputs is e^T E[g g^T] e / 2: errors in
    directions that nothing reads cost nothing. binary32 [rows, rows], on the CPU.
    """
    found = {place: _SecondMoment() for place in places}
    _watch(model, {place: one.add for place, one in found.items()}, windows, progress)
    return {place.short: one.mean for place, one in found.items()}


def _watch(
    model: Model,
    watchers: Mapping[Place, Callable[[Tensor], None]],
    windows: Tensor,
    progress: Progress,
) -> None:
    """Show each watcher the gradients at the outputs of its matrix, window by window."""
    model.network.requires_grad_(requires_grad=False)
    handles = [
        block.get_submodule(place.matrix).register_forward_hook(_backwards(watcher))
        for place, watcher in watchers.items()
        for block, stored in zip(model.blocks, model.layer_map, strict=True)
        if stored == place.block
    ]
    every = windows_on(model, windows)
    progress.start("gradients of the loss", len(every))
    try:
        for step, ids in enumerate(every):
            with torch.no_grad():
                entry = enter(model, ids)
            hidden = entry.hidden.detach().requires_grad_()
            states = run_blocks(model.blocks, hidden, entry.arguments)
            loss = next_token_nats(model, states, ids)
            check_loss(float(loss.detach()), model, ids, f"the gradient of window {step}")
            loss.backward()
            progress.advance()
    finally:
        for handle in handles:
            handle.remove()


def _backwards(watcher: Callable[[Tensor], None]) -> Callable[[nn.Module, object, Tensor], None]:
    """Look at the gradient of an output when it comes back."""

    def watch(_layer: nn.Module, _inputs: object, output: Tensor) -> None:
        output.register_hook(watcher)

    return watch


@dataclass(slots=True)
class _MeanSquare:
    """Of the gradients at a layer's outputs."""

    total: float = 0.0
    count: int = 0

    def add(self, gradient: Tensor) -> None:
        self.total += float(gradient.double().square().sum())
        self.count += gradient.numel()


@dataclass(slots=True)
class _SecondMoment:
    """Of the gradients at a layer's outputs. binary32, because all matrices have theirs at once."""

    total: Tensor | None = None
    rows: int = 0

    def add(self, gradient: Tensor) -> None:
        flat = gradient.detach().reshape(-1, gradient.shape[-1]).to(torch.float32)
        product = (flat.T @ flat).to("cpu")
        self.total = product if self.total is None else self.total.add_(product)
        self.rows += flat.shape[0]

    @property
    def mean(self) -> Tensor:
        assert self.total is not None, "every window gives gradients"
        return self.total / self.rows
