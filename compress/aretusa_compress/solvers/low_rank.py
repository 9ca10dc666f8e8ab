"""The best product of two thin matrices: plain, or as the data see it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """value = outer @ inner; the singular values are shared evenly between the two."""

    inner: Tensor  # float32 [rank, depth]: the layer that reads the inputs
    outer: Tensor  # float32 [rows, rank]: the layer that gives the outputs

    def expand(self) -> Tensor:
        """The product, float32 [rows, depth]."""
        return self.outer @ self.inner


def truncate(matrix: Tensor, rank: int) -> Factors:
    """The product of rank `rank` nearest to matrix [rows, depth] in the Frobenius norm."""
    identity = torch.ones(matrix.shape[1], dtype=torch.float64)
    return _truncate(matrix.to(torch.float64), torch.diag(identity), torch.diag(identity), rank)


def truncate_for_inputs(matrix: Tensor, second_moment: Tensor, rank: int) -> Factors:
    """The product of rank `rank` whose outputs over the calibration data are nearest.

    With H = E[x x^T] = Q L Q^T the error of the outputs is the Frobenius norm of (matrix - product)
    Q L^(1/2), so that product is truncated and the projection taken back. Used on what quantisation
    lost this is EoRA (arXiv 2410.21271); used on the weight itself it is whitened SVD (SVD-LLM,
    arXiv 2403.07378). Directions without power are kept at the level of rounding noise.
    """
    powers, axes = torch.linalg.eigh(second_moment.to(torch.float64))
    floor = max(float(powers[-1]), 1e-30) * 1e-9
    roots = powers.clamp_min(floor).sqrt()
    return _truncate(
        matrix.to(torch.float64), axes * roots[None, :], (axes / roots[None, :]).T, rank
    )


def _truncate(matrix: Tensor, project: Tensor, restore: Tensor, rank: int) -> Factors:
    assert 1 <= rank <= min(matrix.shape), f"rank {rank} of a matrix {tuple(matrix.shape)}"
    left, values, right = torch.linalg.svd(matrix @ project, full_matrices=False)
    share = values[:rank].sqrt()
    inner = (share[:, None] * right[:rank]) @ restore
    outer = left[:, :rank] * share[None, :]
    return Factors(inner=inner.to(torch.float32), outer=outer.to(torch.float32))
