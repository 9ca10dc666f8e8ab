"""What singular values say about a matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

ENERGIES: Final = (0.9, 0.99)  # shares of the sum of squares that a report asks for


def effective_rank(values: Tensor) -> float:
    """E to the entropy of the singular values as shares of their sum (Roy, Vetterli 2007).

    It is the number of values if all are equal, and 1 if one of them is not 0.
    """
    shares = values.double() / values.double().sum()
    logs = shares.clamp_min(1e-300).log()
    return math.exp(-float((shares * logs).sum()))


def rank_for_energy(values: Tensor, share: float) -> int:
    """The least number of components with that share of the sum of squares."""
    energy = values.double().square().cumsum(0)
    return int((energy < share * energy[-1]).sum()) + 1


def lost_share(values: Tensor, rank: int | None) -> float:
    """Share of the sum of squares that components beyond `rank` had; nothing if it is None."""
    if rank is None:
        return 0.0
    squares = values.double().square()
    return float(squares[rank:].sum() / squares.sum().clamp_min(1e-300))
