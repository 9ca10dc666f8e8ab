"""The arithmetic contract in NumPy: every operation that docs/arithmetic.md defines, once.

All float results are binary32, element by element, in the written order. Array arguments are
batches: the last axis is the row that an operation works on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    I8 = NDArray[np.int8]
    I32 = NDArray[np.int32]

SPAN: Final = np.float32(14)  # steps between the ends of a row: 15 once both are rounded apart
SHORTENER: Final = np.float32(17)  # leaves 20 significant bits of 24: a zero point fits below them
PROBABILITY_MAX: Final = np.float32(4095)
SCALE_MIN: Final = np.finfo(np.float32).tiny  # smallest normal binary32
SUM_RUN: Final = 32  # activation codes are summed in runs of this length

# exp(x) = 2**(k / 32) * exp(r), k = round(x * 32 / ln 2), |r| < 0.01085.
EXP_MIN: Final = np.float32(-87.0)
EXP_MAX: Final = np.float32(88.0)
EXP_STEPS: Final = 32
EXP_INVERSE_STEP: Final = np.float32(EXP_STEPS / np.log(2.0))
# ln 2 / 32 in two parts; the first has 11 significant bits: k * part is exact for |k| < 2**13.
EXP_STEP_HIGH: Final = np.float32(1419 / 65536)
EXP_STEP_LOW: Final = np.float32(np.log(2.0) / EXP_STEPS - 1419 / 65536)
EXP_C2: Final = np.float32(0.5)
EXP_C3: Final = np.float32(1.0 / 6.0)
EXP_TABLE: Final[F32] = np.exp2(np.arange(EXP_STEPS) / EXP_STEPS).astype(np.float32)


def tree_sum(values: F32) -> F32:
    """Sum along the last axis by halving: pad with zeros to a power of two, add upper to lower."""
    width = 1 << max(values.shape[-1] - 1, 0).bit_length()
    padded = np.zeros((*values.shape[:-1], width), np.float32)
    padded[..., : values.shape[-1]] = values
    while width > 1:
        width //= 2
        padded = padded[..., :width] + padded[..., width:]
    return padded[..., 0]


def exp(x: F32) -> F32:
    """e**x for x clamped to [EXP_MIN, EXP_MAX], relative error below 2**-23."""
    x = np.minimum(np.maximum(x, EXP_MIN), EXP_MAX)
    k = np.rint(x * EXP_INVERSE_STEP)
    r = (x - k * EXP_STEP_HIGH) - k * EXP_STEP_LOW
    tail = r + (r * r) * (EXP_C2 + r * EXP_C3)
    steps = k.astype(np.int32)
    table = EXP_TABLE[steps & (EXP_STEPS - 1)]
    power = ((steps >> 5) + 127) << 23
    grown: F32 = (table + table * tail) * power.view(np.float32)
    return grown


def rms_norm(x: F32, weight: F32, eps: np.float32) -> F32:
    """Give x / sqrt(mean(x**2) + eps) * weight along the last axis."""
    mean = tree_sum(x * x) / np.float32(x.shape[-1])
    inverse = np.float32(1) / np.sqrt(mean + eps)
    normed: F32 = (x * inverse[..., None]) * weight
    return normed


def scale_of(largest: F32, code_max: np.float32) -> F32:
    """Give largest / code_max, or 0 where that is not normal: such a row has only zero codes."""
    scale = largest / code_max
    return np.where(scale < SCALE_MIN, np.float32(0), scale)


def code_max(bits: int) -> np.float32:
    """The largest code of so many bits."""
    return np.float32((1 << (bits - 1)) - 1)


def quantise(x: F32, bits: int = 8) -> tuple[I8, F32]:
    """Codes in -127..127, or -7..7 with 4 bits, and one scale for each row (last axis) of x."""
    scale = scale_of(np.max(np.abs(x), axis=-1), code_max(bits))
    divisor = np.where(scale == 0, np.float32(np.inf), scale)
    codes = np.rint(x / divisor[..., None]).astype(np.int8)
    return codes, scale


def quantise_from_zero(x: F32) -> tuple[I8, F32]:
    """Codes of a span of at most 15 with 0 in it, and a scale of 20 bits for each row of x."""
    lowest = np.minimum(np.min(x, axis=-1), np.float32(0))
    highest = np.maximum(np.max(x, axis=-1), np.float32(0))
    scale = scale_of(highest - lowest, SPAN)
    moved = scale * SHORTENER
    scale = moved - (moved - scale)
    divisor = np.where(scale == 0, np.float32(np.inf), scale)
    codes = np.rint(x / divisor[..., None]).astype(np.int8)
    return codes, scale


def rope(x: F32, cosine: F32, sine: F32) -> F32:
    """Rotate the two halves of the last axis by the angles whose cosine and sine are given."""
    half = x.shape[-1] // 2
    lower, upper = x[..., :half], x[..., half:]
    return np.concatenate([lower * cosine - upper * sine, upper * cosine + lower * sine], axis=-1)


def silu_mul(gate: F32, up: F32) -> F32:
    """Give gate / (1 + exp(-gate)) * up."""
    return (gate / (np.float32(1) + exp(-gate))) * up


def attend(scores: F32, visible: NDArray[np.bool_], value_codes: I8, value_scales: F32) -> F32:
    """Softmax of the visible scores [..., positions], applied to one head's quantised values.

    value_codes are [positions, dim], value_scales [positions]. Probabilities times value scales are
    rounded to 12 bits relative to their largest, so that the product is an integer sum.
    """
    largest = np.max(np.where(visible, scores, -np.inf), axis=-1, keepdims=True)
    weights = np.where(visible, exp(scores - largest), np.float32(0))
    total = tree_sum(weights)
    scaled = weights * value_scales
    step = scale_of(np.max(scaled, axis=-1), PROBABILITY_MAX)
    divisor = np.where(step == 0, np.float32(np.inf), step)
    codes = np.rint(scaled / divisor[..., None]).astype(np.float64)
    sums = np.matmul(codes, value_codes.astype(np.float64)).astype(np.int32)
    out: F32 = sums.astype(np.float32) * (step / total)[..., None]
    return out
