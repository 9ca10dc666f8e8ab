"""Rounding with error feedback (GPTQ, arXiv 2210.17323), per output channel at 2 to 8 bits.

A column is rounded, and what that changes in the outputs is made up for by the columns that follow.
One scale per row leaves the order of the columns free at no cost in storage, so those with the
strongest inputs come first: their error is spread over most others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aretusa_compress.solvers.grid import Codes, fitted_scales, round_to_grid, weighted_scales


@dataclass(frozen=True, slots=True, kw_only=True)
class GptqOptions:
    """`damping` is a share of the mean diagonal, `block` columns are updated at once."""

    bits: int = 4
    damping: float = 0.01
    block: int = 128
    scale_rounds: int = 2  # scales refitted to the codes, codes found anew


class NotPositiveDefiniteError(ArithmeticError):
    """The inputs' second moments cannot be inverted, even damped."""


def quantise(
    weight: Tensor, second_moment: Tensor, options: GptqOptions, *, kept: Tensor | None = None
) -> Codes:
    """Codes for weight [rows, depth] whose outputs over the calibration data deviate least.

    `second_moment` is E[x x^T] [depth, depth]; `kept` [rows, depth] marks weights that may differ
    from 0 (None: all). The first rounding without error feedback is the one to beat: of all rounds
    the codes with the least output error win, row by row. Raises NotPositiveDefiniteError.
    """
    values = weight.to(torch.float64)
    if kept is not None:
        values = values * kept
    moment = second_moment.to(torch.float64)
    order = torch.argsort(moment.diagonal(), descending=True, stable=True)
    factor = _inverse_factor(moment[order][:, order], options.damping)
    scales = weighted_scales(values, moment.diagonal(), options.bits)
    best = round_to_grid(values, scales, options.bits)
    best_scales, least = scales, output_error(values, best * scales[:, None], moment)
    for _ in range(options.scale_rounds + 1):
        mask = None if kept is None else kept[:, order]
        ordered = _round_columns(values[:, order], scales, factor, options, mask)
        codes = torch.empty_like(ordered)
        codes[:, order] = ordered
        refitted = fitted_scales(values, codes, moment)
        scales = torch.where(refitted > 0, refitted, scales)
        error = output_error(values, codes * scales[:, None], moment)
        is_better = error < least
        best = torch.where(is_better[:, None], codes, best)
        best_scales = torch.where(is_better, scales, best_scales)
        least = torch.where(is_better, error, least)
    return Codes(codes=best.to(torch.int8), scales=best_scales.to(torch.float32), bits=options.bits)


def output_error(weight: Tensor, approximation: Tensor, second_moment: Tensor) -> Tensor:
    """Mean squared error of each output [rows]: diag(D H D^T), D = weight - approximation."""
    difference = weight - approximation
    return ((difference @ second_moment) * difference).sum(dim=1)


def _inverse_factor(moment: Tensor, damping: float) -> Tensor:
    """Upper Cholesky factor of the inverse of the damped moments [depth, depth]."""
    diagonal = moment.diagonal()
    mean = float(diagonal.mean())
    damped = moment.clone()
    # An input that never fires says nothing; any positive power makes its column independent.
    damped.diagonal().add_(damping * mean if mean > 0 else 1.0)
    lower, trouble = torch.linalg.cholesky_ex(damped)
    if int(trouble) != 0:
        raise NotPositiveDefiniteError
    factor, trouble = torch.linalg.cholesky_ex(torch.cholesky_inverse(lower), upper=True)
    if int(trouble) != 0:
        raise NotPositiveDefiniteError
    return factor


def _round_columns(
    weight: Tensor, scales: Tensor, factor: Tensor, options: GptqOptions, kept: Tensor | None
) -> Tensor:
    """Codes [rows, depth] as floats, columns in the order given."""
    left = weight.clone()
    codes = torch.empty_like(left)
    depth = left.shape[1]
    for first in range(0, depth, options.block):
        last = min(first + options.block, depth)
        errors = torch.empty_like(left[:, first:last])
        for column in range(first, last):
            now = left[:, column]
            wanted = now if kept is None else now * kept[:, column]
            code = round_to_grid(wanted, scales, options.bits)
            codes[:, column] = code
            error = (now - code * scales) / factor[column, column]
            left[:, column + 1 : last] -= torch.outer(error, factor[column, column + 1 : last])
            errors[:, column - first] = error
        left[:, last:] -= errors @ factor[first:last, last:]
    return codes
