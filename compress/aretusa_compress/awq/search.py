"""Which scales of the inputs leave the least error behind rounding (AWQ, arXiv 2306.00978).

Scales are the inputs' mean magnitudes to some power: strong inputs make their column large, and
that column is then rounded finely beside the others of its row. The power is searched for on the
calibration data: 0 is plain rounding, 1 makes all inputs equally strong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from aretusa_compress.solvers.gptq import output_error
from aretusa_compress.solvers.grid import CLIPS, round_to_grid, weighted_scales

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

# Of the mean magnitude: inputs that hardly ever fire would get scales without bound.
_SMALLEST_SHARE: Final = 1e-4
_CLIPS: Final = CLIPS[::4]  # the search needs no finer ones, and there are many exponents


@dataclass(frozen=True, slots=True)
class Choice:
    """The exponent, and the mean squared error of all outputs with it and with exponent 0."""

    exponent: float
    error: float
    plain_error: float


def scales_for(magnitudes: Tensor, exponent: float) -> Tensor:
    """Scales [depth], binary32: magnitudes ** exponent, their extremes balanced around 1."""
    mean = magnitudes.mean()
    if float(mean) == 0:
        return torch.ones_like(magnitudes, dtype=torch.float32)
    scales = (magnitudes / mean).clamp_min(_SMALLEST_SHARE).pow(exponent)
    return (scales / (scales.max() * scales.min()).sqrt()).to(torch.float32)


def choose(
    weights: Sequence[Tensor], second_moment: Tensor, magnitudes: Tensor, *, bits: int, points: int
) -> Choice:
    """The exponent with the least error over matrices [rows, depth] that read the same inputs.

    `second_moment` is E[x x^T] [depth, depth], `magnitudes` E|x| [depth]. Of equal errors the
    smallest exponent wins.
    """
    moment = second_moment.to(torch.float32)
    errors = [
        sum(_error(weight, scales, moment, bits) for weight in weights)
        for scales in (scales_for(magnitudes, point / points) for point in range(points))
    ]
    best = min(range(points), key=lambda point: errors[point])
    return Choice(exponent=best / points, error=errors[best], plain_error=errors[0])


def _error(weight: Tensor, scales: Tensor, moment: Tensor, bits: int) -> float:
    """Mean squared error of all outputs if weight * scales is rounded to the nearest code.

    Rows are clipped as they will be, or a scale that only undoes what a clip does too would win.
    """
    scaled = weight * scales
    steps = weighted_scales(scaled, moment.diagonal() / scales.square(), bits, _CLIPS)
    rounded = round_to_grid(scaled, steps, bits) * steps[:, None] / scales
    return float(output_error(weight, rounded, moment).sum(dtype=torch.float64))
