"""Signal-to-noise ratio behind each block: where a model departs from another one."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aretusa_compress.evaluation.subject import Subject

    F32 = NDArray[np.float32]


_SILENCE: Final = 1e-300  # power of a signal of zeros, so that its ratio is a number


def block_noise(subject: Subject, other: Subject, tokens: Sequence[int]) -> list[float | None]:
    """Decibels of other's hidden states over the subject's deviation, block after block.

    None where there is no deviation; empty if the two have not the same blocks. The first position
    is left out: many models put values there that are a hundred times all others.
    """
    expected, actual = other.blocks(tokens), subject.blocks(tokens)
    if [states.shape for states in expected] != [states.shape for states in actual]:
        return []
    return [decibels(want[1:], have[1:]) for want, have in zip(expected, actual, strict=True)]


def decibels(expected: F32, actual: F32) -> float | None:
    """10 log10 of signal power over noise power; None without noise."""
    signal = float(np.square(expected, dtype=np.float64).sum())
    noise = float(np.square(expected.astype(np.float64) - actual).sum())
    if noise == 0:
        return None
    return 10 * log10(max(signal, _SILENCE) / noise)
