"""Rounding in order: each group of matrices for the inputs that all rounded ones before it give."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from aretusa_compress.errors import NumericsError
from aretusa_compress.model.blocks import enter, run_block, windows_on
from aretusa_compress.model.layer_inputs import after_block, watched
from aretusa_compress.model.load import OWN_KEY
from aretusa_compress.recipe.matrices import MATRICES, READERS
from aretusa_compress.solvers.gptq import GptqOptions, NotPositiveDefiniteError, quantise
from aretusa_compress.solvers.grid import Codes
from aretusa_compress.solvers.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState


@dataclass(frozen=True, slots=True)
class Kept:
    """Codes of finished blocks in `state`, under the `name` of the model that is made."""

    state: StageState
    name: str

    def read(self, block: int, widths: Mapping[str, int]) -> dict[str, Codes]:
        """By matrix; nothing if the block is not finished."""
        tensors = self.state.read_tensors(f"{self.name}-{block}")
        if tensors is None:
            return {}
        return {
            name: Codes(codes=tensors[f"{name}/codes"], scales=tensors[f"{name}/scales"], bits=bits)
            for name, bits in widths.items()
        }

    def write(self, block: int, codes: Mapping[str, Codes]) -> None:
        """Keep a finished block."""
        tensors = {f"{name}/codes": one.codes.contiguous() for name, one in codes.items()}
        tensors |= {f"{name}/scales": one.scales.contiguous() for name, one in codes.items()}
        self.state.write_tensors(f"{self.name}-{block}", tensors)


def round_in_order(
    model: Model,
    windows: Tensor,
    widths: Mapping[tuple[int, str], int],
    solver: GptqOptions,
    *,
    kept: Kept,
    progress: Progress,
) -> dict[tuple[int, str], Codes]:
    """Codes by block and matrix; the model's weights become their values.

    `windows` are ids [count, length]. Matrices without a width stay as they are, zeros of those
    with a pattern of zeros stay zero.
    """
    with torch.no_grad():
        entries = [enter(model, ids) for ids in windows_on(model, windows)]
    hidden = [entry.hidden for entry in entries]
    codes: dict[tuple[int, str], Codes] = {}
    progress.start("rounding blocks", len(model.blocks))
    patterns = (model.config.get(OWN_KEY) or {}).get("sparsity", {})
    for index, block in enumerate(model.blocks):
        arguments = [entry.arguments[index] for entry in entries]
        own = {name: widths[index, name] for name in MATRICES if (index, name) in widths}
        done = kept.read(index, own)
        for name, one in done.items():
            _put(block.get_parameter(f"{name}.weight"), one)
        if not done:
            zeros = {name for name in own if f"model.layers.{index}.{name}" in patterns}
            done = _round_block(block, own, zeros, solver, (hidden, arguments))
            kept.write(index, done)
        codes |= {(index, name): one for name, one in done.items()}
        hidden = after_block(block, hidden, arguments)
        progress.advance()
    return codes


def _round_block(
    block: nn.Module,
    widths: Mapping[str, int],
    zeros: set[str],
    solver: GptqOptions,
    inputs: tuple[list[Tensor], list[dict[str, Any]]],
) -> dict[str, Codes]:
    """Codes of a block's matrices, those that read the same at a time; `zeros` keep their zeros."""
    codes: dict[str, Codes] = {}
    for names in READERS:
        own = [name for name in names if name in widths]
        if own:
            moment = _moment(block, names[0], *inputs)
            for name in own:
                codes[name] = code_matrix(
                    name,
                    block.get_parameter(f"{name}.weight"),
                    moment,
                    replace(solver, bits=widths[name]),
                    has_zeros=name in zeros,
                )
    return codes


class _Seen(Exception):  # noqa: N818 - no error: the rest of a block need not be run
    """What was wanted has been seen."""


def _moment(
    block: nn.Module, name: str, hidden: list[Tensor], arguments: list[dict[str, Any]]
) -> Tensor:
    """E[x x^T] of what a layer reads; nothing behind that layer is run."""
    moments = Moments(depth=int(block.get_submodule(name).in_features))

    def see(_name: str, inputs: Tensor) -> None:
        moments.add(inputs)
        raise _Seen

    with watched(block, [name], see), torch.no_grad():
        for states, given in zip(hidden, arguments, strict=True):
            with suppress(_Seen):
                run_block(block, states, given)
    return moments.mean


def code_matrix(
    name: str, weight: Tensor, moment: Tensor, solver: GptqOptions, *, has_zeros: bool
) -> Codes:
    """Codes of a parameter, whose values they become. Raises NumericsError E0530."""
    kept = (weight != 0).cpu() if has_zeros else None
    try:
        codes = quantise(weight.detach().cpu(), moment, solver, kept=kept)
    except NotPositiveDefiniteError as problem:
        raise no_factor(name) from problem
    _put(weight, codes)
    return codes


@torch.no_grad()
def _put(weight: Tensor, codes: Codes) -> None:
    weight.copy_(codes.dequantise())


def no_factor(name: str) -> NumericsError:
    """The error for a matrix whose inputs' second moments have no Cholesky factor."""
    return NumericsError(
        "E0530",
        f"the inputs of {name} are no finite numbers",
        why="their second moments have no Cholesky factor",
        fix="Look at the stage before, or raise damping",
    )
