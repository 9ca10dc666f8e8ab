"""Scale a model block by block, and round it where codes are asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from aretusa_compress.awq.folding import PLACES, Place, fold, shared_by_heads
from aretusa_compress.awq.options import Store
from aretusa_compress.awq.search import Choice, choose, scales_for
from aretusa_compress.errors import NumericsError
from aretusa_compress.model.blocks import enter
from aretusa_compress.model.layer_inputs import after_block, input_moments
from aretusa_compress.solvers.grid import Codes, round_to_grid, weighted_scales

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from aretusa_compress.awq.options import AwqOptions
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.state import StageState
    from aretusa_compress.solvers.moments import Moments

_KEPT = "choices"


@dataclass(slots=True)
class Scaled:
    """Codes by the name of their matrix, and the choices by block and giver of the inputs."""

    codes: dict[str, Codes] = field(default_factory=dict)
    choices: dict[str, dict[str, Choice]] = field(default_factory=dict)


def scale_blocks(
    model: Model,
    windows: Tensor,
    options: AwqOptions,
    state: StageState,
    *,
    progress: Callable[[], None],
) -> Scaled:
    """Fold the best scales into every block; the model computes what it did before.

    `windows` are ids [count, length]. Choices are kept in `state`, so that a stage that begins
    again searches only where it had not been. Blocks that share weights are scaled once, with the
    inputs of the first one. Raises NumericsError E0530 where inputs are no finite numbers.
    """
    entries = [enter(model, window[None]) for window in windows]
    hidden = [entry.hidden for entry in entries]
    known: dict[str, Any] = state.read_json(_KEPT) or {}
    found, place, seen = Scaled(), model.layer_map, set[int]()
    for index, block in enumerate(model.blocks):
        arguments = [entry.arguments[index] for entry in entries]
        before, hidden = hidden, after_block(block, hidden, arguments)
        if place[index] not in seen:
            seen.add(place[index])
            key = str(place[index])
            moments = input_moments(block, before, arguments)
            _check(moments, index)
            kept = {giver: Choice(**values) for giver, values in known.get(key, {}).items()}
            found.choices[key] = _scale(block, moments, options, kept)
            known[key] = {giver: asdict(choice) for giver, choice in found.choices[key].items()}
            state.write_json(_KEPT, known)
            if options.store is Store.CODES:
                found.codes |= _code(block, moments, found.choices[key], options.bits, key)
        progress()
    return found


def _check(moments: dict[str, Moments], index: int) -> None:
    for name, seen in moments.items():
        if not bool(torch.isfinite(seen.total).all()):
            raise NumericsError(
                "E0530",
                f"the inputs of block {index}'s {name} are no finite numbers",
                fix="Look at the stage before, or take float32",
            )


def _scale(
    block: nn.Module, moments: dict[str, Moments], options: AwqOptions, kept: dict[str, Choice]
) -> dict[str, Choice]:
    """Choose, then fold: a matrix that gives inputs is scaled after it has been judged itself."""
    choices: dict[str, Choice] = {}
    for where in PLACES:
        seen = moments[where.readers[0]]
        magnitudes = shared_by_heads(block, where, seen.magnitudes)
        weights = [block.get_submodule(name).weight.detach().cpu() for name in where.readers]
        choice = kept.get(where.giver) or choose(
            weights, seen.mean, magnitudes, bits=options.bits, points=options.points
        )
        choices[where.giver] = choice
    for where in PLACES:
        scales = _scales(block, where, moments, choices)
        fold(block, where, scales.to(block.get_submodule(where.readers[0]).weight.device))
    return choices


def _scales(
    block: nn.Module, where: Place, moments: dict[str, Moments], choices: dict[str, Choice]
) -> Tensor:
    magnitudes = shared_by_heads(block, where, moments[where.readers[0]].magnitudes)
    return scales_for(magnitudes, choices[where.giver].exponent)


def _code(
    block: nn.Module,
    moments: dict[str, Moments],
    choices: dict[str, Choice],
    bits: int,
    stored: str,
) -> dict[str, Codes]:
    """Codes of the scaled matrices, every row with the clip that suits its scaled inputs."""
    codes: dict[str, Codes] = {}
    for where in PLACES:
        scales = _scales(block, where, moments, choices)
        power = moments[where.readers[0]].mean.diagonal() / scales.double().square()
        for name in where.readers:
            weight = block.get_submodule(name).weight.detach().cpu().double()
            steps = weighted_scales(weight, power, bits).float()
            rounded = round_to_grid(weight, steps.double(), bits).to(torch.int8)
            codes[f"model.layers.{stored}.{name}"] = Codes(codes=rounded, scales=steps, bits=bits)
    return codes
