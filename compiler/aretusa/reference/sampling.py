"""Choosing the next token from logits: the NumPy twin of art_sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aretusa.reference import arithmetic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    U64 = NDArray[np.uint64]

WEIGHT_ONE: Final = np.float32(1 << 24)
NEGLIGIBLE: Final = np.float32(-16.75)  # e**-16.75 * 2**24 < 0.9: the weight truncates to 0
TOP_P_ONE: Final = 1 << 16
_MASK_64: Final = (1 << 64) - 1


@dataclass(slots=True)
class Sampler:
    """How to choose, and the state of the generator, which every draw advances."""

    temperature: float = 0.0  # 0: greedy
    top_p: float = 1.0
    state: int = 0

    def sample(self, logits: F32) -> int:
        """The chosen index: integers decide, so every machine chooses the same."""
        best = int(np.argmax(logits))
        temperature = np.float32(self.temperature)
        with np.errstate(divide="ignore", over="ignore"):
            inverse = np.float32(1) / temperature
        if not (temperature > 0 and np.isfinite(inverse)):
            return best
        weights = token_weights(logits, logits[best], inverse)
        threshold, kept = _threshold(weights, top_p_code(self.top_p))
        chosen = (self._draw() * kept) >> 32
        passed = np.cumsum(np.where(weights >= threshold, weights, np.uint64(0)), dtype=np.uint64)
        return int(np.searchsorted(passed, np.uint64(chosen), side="right"))

    def _draw(self) -> int:
        """32 random bits: the upper half of one step of splitmix64."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK_64
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK_64
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK_64
        return (z ^ z >> 31) >> 32


def token_weights(logits: F32, largest: np.float32, inverse_temperature: np.float32) -> U64:
    """trunc(2**24 * exp((logit - largest) / temperature))."""
    x = (logits - largest) * inverse_temperature
    weights = (arithmetic.exp(x) * WEIGHT_ONE).astype(np.uint64)
    return np.where(x >= NEGLIGIBLE, weights, np.uint64(0))


def top_p_code(top_p: float) -> int:
    """top_p in units of 1 / 65536, rounded up, 1 .. 65536."""
    narrow = float(np.float32(top_p))
    if not narrow < 1:
        return TOP_P_ONE
    return max(1, int(np.ceil(narrow * TOP_P_ONE)))


def _threshold(weights: U64, code: int) -> tuple[int, int]:
    """The largest t for which the weights >= t hold code / 65536 of the mass, and their mass."""
    descending = np.sort(weights)[::-1]
    mass = np.cumsum(descending, dtype=np.uint64)
    need = int(mass[-1]) * code
    # mass * 65536 >= need, with the division rounded up.
    first = int(np.searchsorted(mass, np.uint64(-(-need // TOP_P_ONE)), side="left"))
    threshold = int(descending[first])
    last = int(np.searchsorted(-descending.astype(np.int64), -threshold, side="right")) - 1
    return threshold, int(mass[last])
