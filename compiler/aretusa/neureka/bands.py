"""A matrix with groups along its depth in the engine's layout: one packed matrix per group.

A job reads the rows of one group, which must follow each other: the engine takes a tile of output
channels to lie right behind the one before (gvsoc/gvsoc-pulp pulp/neureka/src/
neureka_matrixvec.cpp). So that rows with all their groups are one run of bytes, which a page has to
be, rows come in bands: [band][group][row][words].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aretusa.neureka.linear import engine_bytes, pack_for, unpack_for
from aretusa.neureka.registers import TILE_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from aretusa.neureka.linear import Engine

    I8 = NDArray[np.int8]
    U8 = NDArray[np.uint8]

# A longer band takes fewer jobs, a shorter one smaller pages.
BAND_BYTES: Final = 240 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """Where the codes of such a matrix lie; the last group and the last band may be short."""

    engine: Engine
    rows: int
    depth: int
    bits: int
    group: int
    from_zero: bool = False

    @property
    def columns(self) -> list[slice]:
        """The columns of each group."""
        ends = range(self.group, self.depth + self.group, self.group)
        return [slice(end - self.group, min(end, self.depth)) for end in ends]

    def group_bytes(self, columns: slice) -> int:
        """Codes of one row in one group."""
        length = columns.stop - columns.start
        return engine_bytes(self.engine, 1, length, self.bits)

    @property
    def row_bytes(self) -> int:
        """Codes of one row."""
        return sum(map(self.group_bytes, self.columns))

    @property
    def band_rows(self) -> int:
        """Rows of a band that is not the last: whole tiles, in bands of about the same length."""
        tiles = -(-self.rows // TILE_CHANNELS)
        most = max(1, BAND_BYTES // (self.row_bytes * TILE_CHANNELS))
        return -(-tiles // -(-tiles // most)) * TILE_CHANNELS

    def pack(self, codes: I8) -> U8:
        """Codes [rows, depth] as bytes."""
        words = [
            pack_for(self.engine, codes[rows, columns], self.bits, from_zero=self.from_zero)
            for rows, columns, _ in self._parts()
        ]
        return np.concatenate([word.reshape(-1) for word in words])

    def unpack(self, words: U8) -> I8:
        """The codes that were packed."""
        codes = np.empty((self.rows, self.depth), np.int8)
        for rows, columns, at in self._parts():
            part = codes[rows, columns]
            part[:] = unpack_for(
                self.engine,
                words[at],
                part.shape[0],
                part.shape[1],
                self.bits,
                from_zero=self.from_zero,
            )
        return codes

    def _parts(self) -> Iterator[tuple[slice, slice, slice]]:
        """Rows and columns of each packed matrix, and its bytes."""
        start = 0
        for first in range(0, self.rows, self.band_rows):
            last = min(first + self.band_rows, self.rows)
            for columns in self.columns:
                end = start + (last - first) * self.group_bytes(columns)
                yield slice(first, last), columns, slice(start, end)
                start = end
