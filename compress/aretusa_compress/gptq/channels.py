"""Codes per output channel, block by block, with the inputs that the coded blocks before give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from aretusa_compress.errors import NumericsError
from aretusa_compress.model.blocks import enter
from aretusa_compress.model.forms import CODES, SCALES
from aretusa_compress.model.layer_inputs import after_block, input_moments
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.solvers.gptq import GptqOptions as SolverOptions
from aretusa_compress.solvers.gptq import NotPositiveDefiniteError, quantise
from aretusa_compress.solvers.grid import Codes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from aretusa_compress.gptq.options import GptqOptions
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.state import StageState
    from aretusa_compress.solvers.moments import Moments


def code_blocks(
    model: Model,
    windows: Tensor,
    options: GptqOptions,
    state: StageState,
    *,
    progress: Callable[[int, int], None],
) -> dict[str, Codes]:
    """Codes of every matrix of every block, by name; the model's weights become their values.

    `windows` are ids [count, length]. Weights that are 0 stay 0, so that pruned matrices keep their
    pattern. Blocks that share weights are coded once, with the inputs of the first one. Each coded
    block is kept in `state`. Raises NumericsError E0530 where inputs are no finite numbers.
    """
    entries = [enter(model, window[None]) for window in windows]
    hidden = [entry.hidden for entry in entries]
    codes: dict[str, Codes] = {}
    place, seen = model.layer_map, set[int]()
    for index, block in enumerate(model.blocks):
        arguments = [entry.arguments[index] for entry in entries]
        if place[index] not in seen:
            seen.add(place[index])
            found = _kept(state, options, index) or _code_block(
                block, input_moments(block, hidden, arguments), options, state, index
            )
            for name, coded in found.items():
                with torch.no_grad():
                    block.get_submodule(name).weight.copy_(coded.dequantise())
                codes[f"model.layers.{place[index]}.{name}"] = coded
        hidden = after_block(block, hidden, arguments)
        progress(index + 1, len(model.blocks))
    return codes


def _code_block(
    block: nn.Module,
    moments: Mapping[str, Moments],
    options: GptqOptions,
    state: StageState,
    index: int,
) -> dict[str, Codes]:
    codes = {name: _code(block, name, moments[name], options, index) for name in MATRICES}
    tensors = {f"{name}{CODES}": found.codes for name, found in codes.items()}
    tensors |= {f"{name}{SCALES}": found.scales for name, found in codes.items()}
    state.write_tensors(_state_name(index), tensors)
    return codes


def _kept(state: StageState, options: GptqOptions, index: int) -> dict[str, Codes]:
    """Codes of a block that an earlier run of the stage found; none if it did not get there."""
    tensors = state.read_tensors(_state_name(index))
    if tensors is None:
        return {}
    return {
        name: Codes(
            codes=tensors[f"{name}{CODES}"],
            scales=tensors[f"{name}{SCALES}"],
            bits=options.bits_for(index, name),
        )
        for name in MATRICES
    }


def _state_name(index: int) -> str:
    return f"block-{index}"


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
    return codes
