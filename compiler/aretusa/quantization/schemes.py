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
CLIPS: Final = tuple(1 - step / 20 for step in range(12))  # 1.0 down to 0.45 of the largest weight


@dataclass(frozen=True, slots=True)
class Scheme:
    """How weights are stored: 2 to 8 bits per code, one scale per row (group 0) or per group."""

    bits: int
    group: int = CHANNEL

    def __str__(self) -> str:
        return f"w{self.bits}" if self.group == CHANNEL else f"w{self.bits}g{self.group}"


SCHEMES: Final = {
    str(scheme): scheme
    for scheme in (
        *(Scheme(bits) for bits in range(8, 1, -1)),
        *(Scheme(bits, group) for bits in (4, 8) for group in GROUPS),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisedMatrix:
    """value[row, k] = scale * (code - zero) + minimum, or scale * (code - zero - zero point).

    Groups are runs along the depth. A matrix with groups has minimums, zero points or neither.

    Codes of up to 4 bits are uint8 in 0..15 with zero 8 (symmetric) or 0 (with minimums), wider
    ones are int8: the two containers that the cluster's kernels read.
    """

    codes: NDArray[np.int8] | NDArray[np.uint8]  # [rows, depth]
    scales: NDArray[np.float32] | NDArray[np.float16]  # [rows] for channel, else [rows, groups]
    minimums: NDArray[np.float16] | None  # [rows, groups]
    bits: int
    group: int
    zero: int
    zeros: NDArray[np.int16] | None = None  # zero points [rows, groups]

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
        return replace(
            self,
            codes=self.codes[rows],
            scales=self.scales[rows],
            minimums=None if self.minimums is None else self.minimums[rows],
            zeros=None if self.zeros is None else self.zeros[rows],
        )

    def dequantise(self) -> NDArray[np.float32]:
        """The real values [rows, depth] that the codes stand for."""
        scales = self.scales.astype(np.float32).reshape(self.rows, self.groups)
        length = self.depth if self.group == CHANNEL else self.group
        values = self.codes.astype(np.float32) - np.float32(self.zero)
        if self.zeros is not None:
            values -= np.repeat(self.zeros.astype(np.float32), length, axis=1)[:, : self.depth]
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
                zeros=weight.zeros,
            )
        case FloatWeight(values=values):
            return _round_to_nearest(values, scheme, name)
        case _:
            assert_never(weight)


def container_bits(bits: int) -> int:
    """Bits that a code takes in the cluster's layout."""
    return 4 if bits <= 4 else 8


def zero_code(bits: int) -> int:
    """The code that stands for 0 in symmetric quantisation."""
    return 8 if container_bits(bits) == 4 else 0


def _round_to_nearest(values: NDArray[np.float32], scheme: Scheme, name: str) -> QuantisedMatrix:
    """Symmetric codes up to 2**(bits - 1) - 1 in magnitude; group scales are binary16."""
    rows, depth = values.shape
    length = depth if scheme.group == CHANNEL else scheme.group
    groups = -(-depth // length)
    padded = np.zeros((rows, groups * length), np.float32)
    padded[:, :depth] = values
    blocks = padded.reshape(rows, groups, length)
    largest_code = np.float32((1 << (scheme.bits - 1)) - 1)
    scales: NDArray[np.float32] | NDArray[np.float16]
    scales = best_scales(blocks, largest_code, searches=scheme.bits < 8)
    if scheme.group != CHANNEL:
        scales = _narrow_scales(scales, name)
    codes = _round(blocks, scales.astype(np.float32), largest_code).reshape(rows, -1)[:, :depth]
    zero = zero_code(scheme.bits)
    return QuantisedMatrix(
        codes=(codes + zero).astype(np.uint8) if zero else codes.astype(np.int8),
        scales=scales.reshape(rows) if scheme.group == CHANNEL else scales,
        minimums=None,
        bits=scheme.bits,
        group=scheme.group,
        zero=zero,
    )


def best_scales(
    blocks: NDArray[np.float32], largest_code: np.float32, *, searches: bool
) -> NDArray[np.float32]:
    """One scale [rows, groups] per block [rows, groups, length].

    The largest weight decides, or, if `searches`, the clip with the least squared error of a fixed
    list: with few bits a rare large weight costs all others more than it is worth.
    """
    scales: NDArray[np.float32] = np.max(np.abs(blocks), axis=2) / largest_code
    if not searches:
        return scales
    best = scales.copy()
    least = np.full(scales.shape, np.inf, np.float32)
    for clip in CLIPS:
        tried = scales * np.float32(clip)
        error = _round(blocks, tried, largest_code)
        error *= tried[:, :, None]
        error -= blocks
        squares = np.einsum("rgk,rgk->rg", error, error)
        better = squares < least
        best[better], least[better] = tried[better], squares[better]
    return best


def _round(
    blocks: NDArray[np.float32], scales: NDArray[np.float32], largest_code: np.float32
) -> NDArray[np.float32]:
    divisor = np.where(scales == 0, np.float32(1), scales)
    codes: NDArray[np.float32] = np.rint(blocks / divisor[:, :, None])
    return np.clip(codes, -largest_code, largest_code, out=codes)


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
