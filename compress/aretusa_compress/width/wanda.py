"""Which weights of a matrix go: Wanda's score, and masks of N:M or of a share of each row.

Wanda (Sun, Liu, Bair, Kolter 2023): the score of W[n, k] is |W[n, k]| * ||x[k]||, the norm over all
tokens of the matrix's input; the lowest scores of a row, or of M consecutive columns, go. No weight
changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from aretusa_compress.width.options import Pattern


class InputNorm:
    """Sums of squares of a linear layer's inputs, column by column, in binary64."""

    def __init__(self, columns: int, device: torch.device) -> None:
        self.squares = torch.zeros(columns, dtype=torch.float64, device=device)

    def add(self, inputs: Tensor) -> None:
        """Inputs [..., columns]."""
        rows = inputs.detach().flatten(0, -2).double()
        self.squares += rows.square().sum(0)

    def norm(self) -> Tensor:
        """||x|| of each column."""
        return self.squares.sqrt()


def wanda_scores(weight: Tensor, norm: Tensor) -> Tensor:
    """|W| * ||x|| for W [rows, columns], in binary32."""
    return weight.detach().float().abs() * norm.float()[None]


def pattern_mask(scores: Tensor, pattern: Pattern) -> Tensor:
    """True where a weight goes: the N lowest of every M consecutive columns of a row.

    Of equal scores the first columns go. A last group of w < M columns loses N * w / M, rounded
    down.
    """
    columns = scores.shape[1]
    whole = columns - columns % pattern.group
    mask = torch.zeros_like(scores, dtype=torch.bool)
    if whole:
        groups = scores[:, :whole].reshape(-1, pattern.group)
        mask[:, :whole] = lowest(groups, pattern.removed).view(-1, whole)
    rest = columns - whole
    if rest:
        mask[:, whole:] = lowest(scores[:, whole:], pattern.removed * rest // pattern.group)
    return mask


def share_mask(scores: Tensor, sparsity: float) -> Tensor:
    """True where a weight goes: the lowest share of each row."""
    return lowest(scores, int(scores.shape[1] * sparsity))


def lowest(scores: Tensor, count: int) -> Tensor:
    """True at the `count` lowest scores of each row; of equal ones the first."""
    order = scores.sort(dim=1, stable=True).indices[:, :count]
    mask = torch.zeros_like(scores, dtype=torch.bool)
    return mask.scatter_(1, order, True)  # noqa: FBT003
