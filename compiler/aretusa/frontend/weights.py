"""StoredWeight: one tensor as the checkpoint holds it, before this compiler quantises anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    group: int
    zero: int
    has_minimum: bool


@dataclass(frozen=True, slots=True)
class CodedWeight:
    """A matrix quantised by its maker: value = scale * (code - zero) + minimum, per group.

    Groups are runs of `group` consecutive elements along the depth. `codes` are int8 for 8 bits
    (zero = 0) and uint8 0..15 for 4 bits. `minimums` is None when the format has none.
    """

    codes: NDArray[np.int8] | NDArray[np.uint8]  # [rows, depth]
    scales: NDArray[np.float16]  # [rows, depth // group]
    minimums: NDArray[np.float16] | None  # [rows, depth // group]
    bits: int
    group: int
    zero: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and depth."""
        return self.codes.shape

    def dequantise(self) -> NDArray[np.float32]:
        """The real values [rows, depth] that the codes stand for."""
        rows, depth = self.codes.shape
        codes = self.codes.reshape(rows, depth // self.group, self.group).astype(np.float32)
        values = (codes - np.float32(self.zero)) * self.scales.astype(np.float32)[:, :, None]
        if self.minimums is not None:
            values += self.minimums.astype(np.float32)[:, :, None]
        return values.reshape(rows, depth)


StoredWeight = FloatWeight | CodedWeight
