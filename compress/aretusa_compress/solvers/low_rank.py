"""The best product of two thin matrices: plain, or as the data see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_NOISE: Final = 1e-9  # of the largest power of an input: what counts as none


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
    return _decomposed(matrix.to(torch.float64), None, None)


def decompose_for_inputs(matrix: Tensor, second_moment: Tensor) -> Decomposition:
    """Components ordered by what the outputs over the calibration data lose without them.

    With H = E[x x^T] = L L^T (Cholesky) the error of the outputs is the Frobenius norm of (matrix -
    product) L, so that matrix L is decomposed and L taken back. Used on what quantisation lost this
    is EoRA (arXiv 2410.21271); used on the weight itself it is whitened SVD (SVD-LLM, arXiv
    2403.07378). Directions without power are kept at the level of rounding noise.
    """
    return _decomposed(matrix.to(torch.float64), _root(second_moment.to(torch.float64)), None)


def decompose_for_loss(
    matrix: Tensor, second_moment: Tensor, gradient_moment: Tensor
) -> Decomposition:
    """Components ordered by what the loss gains without them, to second order.

    With E[g g^T] = M M^T of the loss's gradients at the outputs, and H = L L^T as above, the change
    of the loss is half the squared Frobenius norm of M^T (matrix - product) L if inputs and
    gradients do not depend on each other (K-FAC, arXiv 1503.05671; for truncation GFWSVD, arXiv
    2505.17974).
    """
    moment, gradients = second_moment.to(torch.float64), gradient_moment.to(torch.float64)
    return _decomposed(matrix.to(torch.float64), _root(moment), _root(gradients))


def _root(moment: Tensor) -> Tensor:
    """Lower triangular L with L L^T = moment, but for what is noise beside its largest power.

    Sums in binary32 may leave powers below zero by more than that: then the root is one of the
    eigenvalues, none of them below the noise, made triangular.
    """
    floor = max(float(moment.diagonal().max()), 1e-30) * _NOISE
    lifted = moment + torch.diag(moment.new_full((len(moment),), floor))
    found, failed_at = torch.linalg.cholesky_ex(lifted)
    if not int(failed_at):
        return found
    powers, axes = torch.linalg.eigh(moment)
    return torch.linalg.qr((axes * powers.clamp_min(floor).sqrt()).T).R.T


def truncate(matrix: Tensor, rank: int) -> Factors:
    """The product of rank `rank` nearest to matrix [rows, depth] in the Frobenius norm."""
    return decompose(matrix).truncated(rank)


def truncate_for_inputs(matrix: Tensor, second_moment: Tensor, rank: int) -> Factors:
    """The product of rank `rank` whose outputs over the calibration data are nearest."""
    return decompose_for_inputs(matrix, second_moment).truncated(rank)


def _decomposed(matrix: Tensor, root: Tensor | None, beside: Tensor | None) -> Decomposition:
    """Components of beside^T @ matrix @ root, with the roots (lower triangular) taken back.

    They come from the eigenvectors of the smaller product of that with itself, at a tenth of the
    time of a singular value decomposition. Values are exact to 1e-8 of the largest one: no more
    would be left of them in factors of binary32.
    """
    rows, depth = matrix.shape
    heard = matrix if beside is None else beside.T @ matrix
    seen = heard if root is None else heard @ root
    if rows <= depth:
        values, left = _roots(seen @ seen.T)
        share = values.sqrt()
        outer, inner = left * share, (left / share).T @ heard
        if beside is not None:
            outer = torch.linalg.solve_triangular(beside.T, outer, upper=True)
    else:
        values, right = _roots(seen.T @ seen)
        share = values.sqrt()
        outer, inner = right / share, (right * share).T
        outer = matrix @ (outer if root is None else root @ outer)
        if root is not None:
            inner = torch.linalg.solve_triangular(root, inner, upper=False, left=False)
    factors = Factors(inner=inner.to(torch.float32), outer=outer.to(torch.float32))
    return Decomposition(factors=factors, values=values)


def _roots(product: Tensor) -> tuple[Tensor, Tensor]:
    """Singular values, the largest first and none of them zero, and vectors [size, values]."""
    squares, vectors = torch.linalg.eigh(product)
    least = max(1e-30 * float(squares[-1]), 1e-200)
    return squares.flip(0).clamp_min(least).sqrt(), vectors.flip(1)
