"""Codes per output channel, block by block, with the inputs that the coded blocks before give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from aretusa_compress.errors import NumericsError
from aretusa_compress.model.blocks import enter
from aretusa_compress.model.layer_inputs import after_block, input_moments
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.solvers.gptq import GptqOptions as SolverOptions
from aretusa_compress.solvers.gptq import NotPositiveDefiniteError, quantise

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from aretusa_compress.gptq.options import GptqOptions
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.solvers.grid import Codes
    from aretusa_compress.solvers.moments import Moments


def code_blocks(
    model: Model,
    windows: Tensor,
    options: GptqOptions,
    *,
    progress: Callable[[int, int], None],
) -> dict[str, Codes]:
    """Codes of every matrix of every block, by name; the model's weights become their values.

    `windows` are ids [count, length]. Weights that are 0 stay 0, so that pruned matrices keep their
    pattern. Blocks that share weights are coded once, with the inputs of the first one. Raises
    NumericsError E0530 where inputs are no finite numbers.
    """
    entries = [enter(model, window[None]) for window in windows]
    hidden = [entry.hidden for entry in entries]
    codes: dict[str, Codes] = {}
    place, seen = model.layer_map, set[int]()
    for index, block in enumerate(model.blocks):
        arguments = [entry.arguments[index] for entry in entries]
        if place[index] not in seen:
            seen.add(place[index])
            moments = input_moments(block, hidden, arguments)
            for name in MATRICES:
                found = _code(block, name, moments[name], options, index)
                codes[f"model.layers.{place[index]}.{name}"] = found
        hidden = after_block(block, hidden, arguments)
        progress(index + 1, len(model.blocks))
    return codes


def _code(block: nn.Module, name: str, moments: Moments, options: GptqOptions, index: int) -> Codes:
    layer = block.get_submodule(name)
    weight = layer.weight.detach()
    solver = SolverOptions(
        bits=options.bits_for(index, name),
        damping=options.damping,
        scale_rounds=options.scale_rounds,
    )
    kept = weight != 0
    try:
        codes = quantise(
            weight.cpu(), moments.mean, solver, kept=None if bool(kept.all()) else kept.cpu()
        )
    except NotPositiveDefiniteError as problem:
        raise NumericsError(
            "E0530",
            f"the inputs of block {index}'s {name} are no finite numbers",
            why="their second moments have no Cholesky factor",
            fix="Look at the stage before, or raise damping",
        ) from problem
    with torch.no_grad():
        layer.weight.copy_(codes.dequantise())
    return codes
