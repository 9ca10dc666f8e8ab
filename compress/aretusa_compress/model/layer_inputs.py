"""What goes into the linear layers of a block, while texts run through it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from aretusa_compress.model.blocks import run_block
from aretusa_compress.recipe.matrices import READERS
from aretusa_compress.solvers.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


def input_moments(
    block: nn.Module, hidden: Sequence[Tensor], arguments: Sequence[dict[str, Any]]
) -> dict[str, Moments]:
    """Second moments of the inputs of every linear layer over hidden states [1, length, size].

    Layers that read the same values share one object.
    """
    found = {names[0]: Moments(depth=_depth(block, names[0])) for names in READERS}
    with watched(block, list(found), lambda name, inputs: found[name].add(inputs)), torch.no_grad():
        for states, given in zip(hidden, arguments, strict=True):
            run_block(block, states, given)
    return {name: found[names[0]] for names in READERS for name in names}


@contextmanager
def watched(
    block: nn.Module, names: Sequence[str], see: Callable[[str, Tensor], None]
) -> Iterator[None]:
    """Call `see(name, inputs)` before one of the layers runs."""

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _layer, inputs: see(name, inputs[0])

    handles = [block.get_submodule(name).register_forward_pre_hook(hook(name)) for name in names]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def after_block(
    block: nn.Module, hidden: Sequence[Tensor], arguments: Sequence[Mapping[str, Any]]
) -> list[Tensor]:
    """Hidden states behind a block."""
    with torch.no_grad():
        return [
            run_block(block, states, dict(given))
            for states, given in zip(hidden, arguments, strict=True)
        ]


def _depth(block: nn.Module, name: str) -> int:
    depth = block.get_submodule(name).in_features
    assert isinstance(depth, int)
    return depth
