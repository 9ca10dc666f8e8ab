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


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposition:
    """value = factors.expand() with every component kept, the strongest first."""

    factors: Factors
    values: Tensor  # float64 [min(rows, depth)]: singular values; a square is what is lost without

    def truncated(self, rank: int) -> Factors:
        """The first `rank` components."""
        assert 1 <= rank <= len(self.values), f"rank {rank} of {len(self.values)} components"
        inner, outer = self.factors.inner[:rank], self.factors.outer[:, :rank]
        return Factors(inner=inner.contiguous(), outer=outer.contiguous())


def decompose(matrix: Tensor) -> Decomposition:
    """Singular values and vectors of matrix [rows, depth]."""
    return _decomposed(matrix.to(torch.float64), None)


def decompose_for_inputs(matrix: Tensor, second_moment: Tensor) -> Decomposition:
    """Components ordered by what the outputs over the calibration data lose without them.

    With H = E[x x^T] = Q L Q^T the error of the outputs is the Frobenius norm of (matrix - product)
    Q L^(1/2), so that product is decomposed and the projection taken back. Used on what
    quantisation lost this is EoRA (arXiv 2410.21271); used on the weight itself it is whitened SVD
    (SVD-LLM, arXiv 2403.07378). Directions without power are kept at the level of rounding noise.
    """
    powers, axes = torch.linalg.eigh(second_moment.to(torch.float64))
    floor = max(float(powers[-1]), 1e-30) * 1e-9
    roots = powers.clamp_min(floor).sqrt()
    projection = (axes * roots[None, :], (axes / roots[None, :]).T)
    return _decomposed(matrix.to(torch.float64), projection)


def truncate(matrix: Tensor, rank: int) -> Factors:
    """The product of rank `rank` nearest to matrix [rows, depth] in the Frobenius norm."""
    return decompose(matrix).truncated(rank)


def truncate_for_inputs(matrix: Tensor, second_moment: Tensor, rank: int) -> Factors:
    """The product of rank `rank` whose outputs over the calibration data are nearest."""
    return decompose_for_inputs(matrix, second_moment).truncated(rank)


def _decomposed(matrix: Tensor, projection: tuple[Tensor, Tensor] | None) -> Decomposition:
    """`projection` holds what the matrix is multiplied by, and what takes that back."""
    seen = matrix if projection is None else matrix @ projection[0]
    left, values, right = torch.linalg.svd(seen, full_matrices=False)
    share = values.sqrt()
    inner = share[:, None] * right
    if projection is not None:
        inner = inner @ projection[1]
    outer = left * share[None, :]
    factors = Factors(inner=inner.to(torch.float32), outer=outer.to(torch.float32))
    return Decomposition(factors=factors, values=values)
