"""Symmetric integer grids, one scale per output channel: what N-EUREKA reads at any width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIPS: Final = tuple(1 - step / 40 for step in range(26))  # 1.0 down to 0.375 of the largest weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """value[n, k] = codes[n, k] * scales[n], with codes of `bits` bits."""

    codes: Tensor  # int8 [rows, depth]
    scales: Tensor  # float32 [rows]
    bits: int

    def dequantise(self) -> Tensor:
        """The real values, float32 [rows, depth]."""
        return self.codes.to(torch.float32) * self.scales[:, None]


def smallest_code(bits: int) -> int:
    """Two's complement has one code more below zero than above; it is used."""
    return -(1 << (bits - 1))


def largest_code(bits: int) -> int:
    """Of `bits` bits."""
    return (1 << (bits - 1)) - 1


def round_to_grid(weight: Tensor, scales: Tensor, bits: int) -> Tensor:
    """Codes of weight [rows, ...] as floats; a row of scale 0 has codes 0.

    `scales` is [rows], broadcast over the other axes.
    """
    shaped = scales.reshape(-1, *[1] * (weight.dim() - 1))
    divided = weight / torch.where(shaped == 0, torch.ones_like(shaped), shaped)
    codes = torch.where(shaped == 0, torch.zeros_like(weight), torch.round(divided))
    return codes.clamp(smallest_code(bits), largest_code(bits))


def weighted_scales(
    weight: Tensor, importance: Tensor, bits: int, clips: Sequence[float] = CLIPS
) -> Tensor:
    """The clip of each row [rows, depth] with the least squared error, weighted by input.

    `importance` [depth] is the mean square of each input. A rare large weight is clipped where
    that makes all others finer; with 8 bits nothing is gained, and the largest weight decides.
    """
    scales = weight.abs().amax(dim=1) / largest_code(bits)
    if bits >= 8:
        return scales
    best = scales.clone()
    least = torch.full_like(scales, torch.inf)
    for clip in clips:
        tried = scales * clip
        error = round_to_grid(weight, tried, bits) * tried[:, None] - weight
        loss = error.square() @ importance
        is_better = loss < least
        best = torch.where(is_better, tried, best)
        least = torch.where(is_better, loss, least)
    return best


def fitted_scales(weight: Tensor, codes: Tensor, second_moment: Tensor) -> Tensor:
    """The scales [rows] with which fixed codes reproduce the layer's outputs best.

    Least squares in one unknown per row: s = (q H w) / (q H q), H = E[x x^T]. Rows without codes,
    and rows whose best scale is not positive, get 0 and are left to the caller.
    """
    through = codes @ second_moment
    fit = (through * weight).sum(dim=1)
    power = (through * codes).sum(dim=1)
    is_usable = (power > 0) & (fit > 0)
    safe = torch.where(is_usable, power, torch.ones_like(power))
    return torch.where(is_usable, fit / safe, torch.zeros_like(fit))
