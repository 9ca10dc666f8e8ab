"""What a quantised matrix is, and how one is made from real weights or a checkpoint's codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np

from aretusa.errors import UnsupportedError
from aretusa.frontend.weights import CodedWeight, FloatWeight, StoredWeight

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANNEL: Final = 0  # group length that stands for "one scale per row"
GROUPS: Final = (32, 64, 128)
FLOAT16_MIN: Final = float(np.finfo(np.float16).tiny)
FLOAT16_MAX: Final = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class Scheme:
    """How weights are stored: `bits` per code, one scale per row (group 0) or per group."""

    bits: int
    group: int = CHANNEL

    def __str__(self) -> str:
        return f"w{self.bits}" if self.group == CHANNEL else f"w{self.bits}g{self.group}"


SCHEMES: Final = {
    str(scheme): scheme
    for scheme in (Scheme(8), *(Scheme(bits, group) for bits in (4, 8) for group in GROUPS))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisedMatrix:
    """value[row, k] = scale * (code - zero) + minimum; groups are runs along the depth.

    W8 codes are int8; W4 codes are uint8 in 0..15 with zero 8 (symmetric) or 0 (with minimums).
    """

    codes: NDArray[np.int8] | NDArray[np.uint8]  # [rows, depth]
    scales: NDArray[np.float32] | NDArray[np.float16]  # [rows] for channel, else [rows, groups]
    minimums: NDArray[np.float16] | None  # [rows, groups]
    bits: int
    group: int
    zero: int

    @property
    def rows(self) -> int:
        """Output channels."""
        return self.codes.shape[0]

    @property
    def depth(self) -> int:
        """Inputs."""
        return self.codes.shape[1]

    @property
    def groups(self) -> int:
        """Scales per row; the last group may be short."""
        return 1 if self.group == CHANNEL else -(-self.depth // self.group)

    def select_rows(self, rows: NDArray[np.int64]) -> QuantisedMatrix:
        """The matrix of the given rows."""
        minimums = None if self.minimums is None else self.minimums[rows]
        return replace(self, codes=self.codes[rows], scales=self.scales[rows], minimums=minimums)

    def dequantise(self) -> NDArray[np.float32]:
        """The real values [rows, depth] that the codes stand for."""
        scales = self.scales.astype(np.float32).reshape(self.rows, self.groups)
        length = self.depth if self.group == CHANNEL else self.group
        values = self.codes.astype(np.float32) - np.float32(self.zero)
        values *= np.repeat(scales, length, axis=1)[:, : self.depth]
        if self.minimums is not None:
            minimums = self.minimums.astype(np.float32)
            values += np.repeat(minimums, length, axis=1)[:, : self.depth]
        return values


def quantise_matrix(weight: StoredWeight, scheme: Scheme, *, name: str) -> QuantisedMatrix:
    """Codes of a checkpoint's own quantisation unchanged; real weights by symmetric rounding."""
    match weight:
        case CodedWeight():
            return QuantisedMatrix(
                codes=weight.codes,
                scales=weight.scales,
                minimums=weight.minimums,
                bits=weight.bits,
                group=weight.group,
                zero=weight.zero,
            )
        case FloatWeight(values=values):
            return _round_to_nearest(values, scheme, name)
        case _:
            assert_never(weight)


def _round_to_nearest(values: NDArray[np.float32], scheme: Scheme, name: str) -> QuantisedMatrix:
    """Symmetric codes -127..127 or -7..7 (stored + 8); group scales are binary16."""
    rows, depth = values.shape
    length = depth if scheme.group == CHANNEL else scheme.group
    groups = -(-depth // length)
    padded = np.zeros((rows, groups * length), np.float32)
    padded[:, :depth] = values
    blocks = padded.reshape(rows, groups, length)
    largest_code = np.float32((1 << (scheme.bits - 1)) - 1)
    scales = np.max(np.abs(blocks), axis=2) / largest_code
    if scheme.group != CHANNEL:
        scales = _narrow_scales(scales, name)
    divisor = np.where(scales == 0, np.float32(1), scales.astype(np.float32))
    codes = np.rint(blocks / divisor[:, :, None])
    codes = np.clip(codes, -largest_code, largest_code).reshape(rows, -1)[:, :depth]
    zero = 8 if scheme.bits == 4 else 0
    return QuantisedMatrix(
        codes=(codes + zero).astype(np.uint8) if scheme.bits == 4 else codes.astype(np.int8),
        scales=scales.reshape(rows) if scheme.group == CHANNEL else scales,
        minimums=None,
        bits=scheme.bits,
        group=scheme.group,
        zero=zero,
    )


def _narrow_scales(scales: NDArray[np.float32], name: str) -> NDArray[np.float16]:
    """Scales as binary16; refuses weights whose scales that format cannot hold."""
    used = scales[scales > 0]
    if used.size and float(used.max()) > FLOAT16_MAX:
        raise UnsupportedError(
            "E0111",
            f"weights of {name!r} reach {float(used.max()):.3g} per step",
            why=f"a group scale is a binary16 number of at most {FLOAT16_MAX:.0f}",
            fix="Choose --weights w8, whose scales are binary32",
        )
    return scales.astype(np.float16)
