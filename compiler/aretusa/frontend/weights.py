"""StoredWeight: one tensor as the checkpoint holds it, before this compiler quantises anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FloatWeight:
    """A tensor of real numbers, widened to binary32; F16 and BF16 widen exactly."""

    values: NDArray[np.float32]  # [rows, depth] or [n]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and depth, or the length of a vector."""
        return self.values.shape


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeForm:
    """How the codes of a CodedWeight are stored, which is known before they are read."""

    bits: int
    group: int  # 0: one scale per row
    zero: int
    has_minimum: bool = False  # a second number per group: its minimum,
    has_zeros: bool = False  # or its zero point


@dataclass(frozen=True, slots=True)
class CodedWeight:
    """A matrix quantised by its maker.

    value = scale * (code - zero) + minimum, or scale * (code - zero - zero point). Groups are runs
    of `group` elements along the depth, the last of which may be short; a group of 0 is the whole
    row. `codes` of more than 4 bits are int8 (zero = 0), others uint8 0..15. A matrix has minimums,
    zero points or neither.
    """

    codes: NDArray[np.int8] | NDArray[np.uint8]  # [rows, depth]
    scales: NDArray[np.float16] | NDArray[np.float32]  # [rows, groups]; binary32 [rows] for group 0
    minimums: NDArray[np.float16] | None  # [rows, groups]
    bits: int
    group: int
    zero: int
    zeros: NDArray[np.int16] | None = None  # zero points [rows, groups]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and depth."""
        return self.codes.shape

    def dequantise(self) -> NDArray[np.float32]:
        """The real values [rows, depth] that the codes stand for."""
        codes = self.codes.astype(np.float32)
        codes -= np.float32(self.zero)
        if self.zeros is not None:
            codes -= self._spread(self.zeros)
        codes *= self._spread(self.scales)
        if self.minimums is not None:
            codes += self._spread(self.minimums)
        return codes

    def _spread(self, numbers: NDArray[Any]) -> NDArray[np.float32]:
        """Numbers per group as numbers per column."""
        rows, depth = self.codes.shape
        columns = numbers.astype(np.float32).reshape(rows, -1)
        return np.repeat(columns, self.group or depth, axis=1)[:, :depth]


StoredWeight = FloatWeight | CodedWeight
