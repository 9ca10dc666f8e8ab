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
TILE_ROWS: Final = 512  # a tile of sums and terms stays in the second-level cache
TILE_TOKENS: Final = 128


def linear(
    matrix: QuantisedMatrix,
    codes: I8,
    scales: F32,
    bias: F32 | None = None,
    residual: F32 | None = None,
) -> F32:
    """Rows of residual + (value(matrix) @ (codes * scales) + bias) in the contract's order."""
    out = np.empty((codes.shape[0], matrix.rows), np.float32)
    activations = codes.astype(np.float32)
    for top in range(0, matrix.rows, TILE_ROWS):
        rows = slice(top, top + TILE_ROWS)
        tile = _Tile(matrix, rows)
        for left in range(0, codes.shape[0], TILE_TOKENS):
            tokens = slice(left, left + TILE_TOKENS)
            tile.apply(activations[tokens], scales[tokens], out[tokens, rows])
    if bias is not None:
        out += bias
    if residual is not None:
        np.add(residual, out, out=out)
    return out


class _Tile:
    """Some rows of a matrix, widened for the binary32 matrix product."""

    def __init__(self, matrix: QuantisedMatrix, rows: slice) -> None:
        self.group = matrix.group
        self.codes = matrix.codes[rows].astype(np.float32)
        if matrix.zero:
            self.codes -= np.float32(matrix.zero)
        self.scales = matrix.scales[rows].astype(np.float32)
        self.minimums = None
        if matrix.minimums is not None:
            self.minimums = matrix.minimums[rows].astype(np.float32)

    def apply(self, codes: F32, scales: F32, out: F32) -> None:
        """Write the tile's results for some tokens, before bias and residual."""
        if self.scales.ndim == 1:
            self._integer_sums(codes, out)
            out *= scales[:, None]
            out *= self.scales
        else:
            np.multiply(self._group_sums(codes), scales[:, None], out=out)

    def _integer_sums(self, codes: F32, out: F32) -> None:
        """The whole dot products, rounded once to binary32."""
        depth = codes.shape[1]
        if depth <= EXACT_DEPTH:
            np.matmul(codes, self.codes.T, out=out)
            return
        sums = np.zeros(out.shape, np.float64)
        for first in range(0, depth, EXACT_DEPTH):
            part = slice(first, first + EXACT_DEPTH)
            sums += np.matmul(codes[:, part], self.codes[:, part].T)
        out[...] = sums

    def _group_sums(self, codes: F32) -> F32:
        """The terms of the groups, added in ascending order."""
        total = np.empty((codes.shape[0], self.codes.shape[0]), np.float32)
        term = np.empty_like(total)
        for group in range(self.scales.shape[1]):
            part = slice(group * self.group, (group + 1) * self.group)
            target = total if group == 0 else term
            np.matmul(codes[:, part], self.codes[:, part].T, out=target)
            target *= self.scales[:, group]
            if self.minimums is not None:
                code_sums = codes[:, part].sum(axis=1, dtype=np.float32)
                target += code_sums[:, None] * self.minimums[:, group]
            if group > 0:
                total += term
        return total
