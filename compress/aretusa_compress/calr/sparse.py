"""SparseLinear: LoSparse's W = U V + S, whose columns of S go as training finds them dispensable.

LoSparse (Li and others, arXiv 2306.11222) adds a low-rank and a structured sparse approximation.
The sensitivity of a weight is |weight * gradient|, smoothed, times the smoothed deviation from it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from aretusa_compress.solvers.low_rank import Factors


class SparseLinear(nn.Module):
    """y = (x A^T) B^T + (mask * x) S^T + bias; the mask has one value for each column of S."""

    def __init__(self, original: nn.Linear, factors: Factors) -> None:
        super().__init__()
        weight = original.weight.detach().float()
        device = weight.device
        self.inner = nn.Parameter(factors.inner.to(device).clone())
        self.outer = nn.Parameter(factors.outer.to(device).clone())
        self.sparse = nn.Parameter(weight - self.outer.detach() @ self.inner.detach())
        self.bias = original.bias
        columns = weight.shape[1]
        self.mask = torch.ones(columns, device=device)
        self.sensitivity = torch.zeros(columns, device=device)
        self.uncertainty = torch.zeros(columns, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        y = linear(linear(x, self.inner), self.outer, self.bias)
        return y + linear(x * self.mask.to(x.dtype), self.sparse)

    @torch.no_grad()
    def look(self, smoothing: float) -> None:
        """Take the gradient of S into account."""
        assert self.sparse.grad is not None
        now = (self.sparse * self.sparse.grad).abs().mean(dim=0)
        self.sensitivity.mul_(smoothing).add_(now, alpha=1 - smoothing)
        away = (now - self.sensitivity).abs()
        self.uncertainty.mul_(smoothing).add_(away, alpha=1 - smoothing)

    @torch.no_grad()
    def keep_columns(self, count: int) -> None:
        """Let only the `count` most sensitive columns count; one that is gone may come back."""
        scores = self.sensitivity * self.uncertainty
        order = scores.sort(descending=True, stable=True).indices
        self.mask.zero_()
        self.mask[order[:count]] = 1.0

    def dense_part(self) -> Tensor:
        """S with the columns that are gone at zero, on the CPU."""
        return (self.sparse * self.mask).detach().cpu()

    def factors(self) -> Factors:
        """U and V, on the CPU."""
        return Factors(inner=self.inner.detach().cpu(), outer=self.outer.detach().cpu())


def columns_at(step: int, steps: int, columns: int, kept: int, settled: float) -> int:
    """Columns that count at an update: a cubic fall from all to `kept`, reached at `settled`."""
    last = max(1, round(settled * steps) - 1)
    rest = max(0.0, 1.0 - step / last)
    return kept + round((columns - kept) * rest**3)
