"""A linear layer in exact integers and binary32: the NumPy twin of art_linear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aretusa.quantization.schemes import QuantisedMatrix

    F32 = NDArray[np.float32]
    I8 = NDArray[np.int8]

# Products of int8 codes are at most 128 * 127, so sums of 1024 stay below 2**24: exact in binary32.
EXACT_DEPTH: Final = 1024
# OpenBLAS starts no threads for a product of up to 2**18 multiply-accumulates. More threads than
# free cores cost tenfold, and tiles of this size stay in the first-level cache.
TILE_MACS: Final = 1 << 18
TILE_TOKENS: Final = 64
TILE_DEPTH: Final = 64  # of channel forms; a group of group forms


def linear(
    matrix: QuantisedMatrix,
    codes: I8,
    scales: F32,
    bias: F32 | None = None,
    residual: F32 | None = None,
) -> F32:
    """Rows of residual + (value(matrix) @ (codes * scales) + bias) in the contract's order."""
    tokens, depth = codes.shape
    out = np.empty((tokens, matrix.rows), np.float32)
    activations = codes.astype(np.float32)
    part = matrix.group or min(TILE_DEPTH, depth)
    step = max(TILE_MACS // (part * min(tokens, TILE_TOKENS)), 1)
    for top in range(0, matrix.rows, step):
        rows = slice(top, top + step)
        tile = _Tile(matrix, rows, part)
        for left in range(0, tokens, TILE_TOKENS):
            some = slice(left, left + TILE_TOKENS)
            out[some, rows] = tile.apply(activations[some], scales[some])
    if bias is not None:
        out += bias
    if residual is not None:
        np.add(residual, out, out=out)
    return out


class _Tile:
    """Some rows of a matrix, widened for binary32 products of `part` columns at a time."""

    def __init__(self, matrix: QuantisedMatrix, rows: slice, part: int) -> None:
        self.parts = [slice(first, first + part) for first in range(0, matrix.depth, part)]
        self.codes = matrix.codes[rows].astype(np.float32)
        if matrix.zero:
            self.codes -= np.float32(matrix.zero)
        self.scales = matrix.scales[rows].astype(np.float32)
        self.zeros = None if matrix.zeros is None else matrix.zeros[rows].astype(np.float32)
        self.minimums = None
        if matrix.minimums is not None:
            self.minimums = matrix.minimums[rows].astype(np.float32)

    def apply(self, codes: F32, scales: F32) -> F32:
        """The tile's results for some tokens, before bias and residual."""
        if self.scales.ndim == 1:
            return (self._integer_sums(codes) * scales[:, None]) * self.scales
        return self._group_sums(codes) * scales[:, None]

    def _integer_sums(self, codes: F32) -> F32:
        """The whole dot products, rounded once to binary32."""
        exact = np.float32 if codes.shape[1] <= EXACT_DEPTH else np.float64
        total = np.zeros((codes.shape[0], self.codes.shape[0]), exact)
        for part in self.parts:
            total += np.matmul(codes[:, part], self.codes[:, part].T)
        return total.astype(np.float32, copy=False)

    def _group_sums(self, codes: F32) -> F32:
        """The terms of the groups, added in ascending order."""
        total = np.full((codes.shape[0], self.codes.shape[0]), np.float32(-0.0))
        code_term = np.empty_like(total)
        for group, part in enumerate(self.parts):
            term = np.matmul(codes[:, part], self.codes[:, part].T)
            if self.zeros is not None:  # integers below 2**24: exact
                np.multiply(_code_sums(codes[:, part]), self.zeros[:, group], out=code_term)
                term -= code_term
            term *= self.scales[:, group]
            if self.minimums is not None:
                np.multiply(_code_sums(codes[:, part]), self.minimums[:, group], out=code_term)
                term += code_term
            total += term  # -0 plus the first term is that term
        return total


def _code_sums(codes: F32) -> F32:
    """Sum of each token's activation codes [tokens, 1]."""
    sums: F32 = codes.sum(axis=1, dtype=np.float32, keepdims=True)
    return sums
