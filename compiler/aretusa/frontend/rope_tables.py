"""Cosine and sine of the rotary angles for every position, made once on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aretusa.frontend.llama_config import Llama3RopeScaling, LlamaConfig


@dataclass(frozen=True, slots=True)
class RopeTables:
    """Row = position, column = pair of dimensions (d, d + dim / 2)."""

    cosine: NDArray[np.float32]  # [context, dim / 2]
    sine: NDArray[np.float32]


def rope_tables(config: LlamaConfig, context: int) -> RopeTables:
    """Angles position * theta**(-2 i / dim), stretched for Llama 3, in binary64, then rounded."""
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float64) / config.head_dim
    frequencies = np.asarray(config.rope_theta, np.float64) ** -exponents
    if config.rope_scaling is not None:
        frequencies = _stretch(frequencies, config.rope_scaling)
    angles = np.arange(context, dtype=np.float64)[:, None] * frequencies[None, :]
    return RopeTables(np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32))


def _stretch(frequencies: NDArray[np.float64], scaling: Llama3RopeScaling) -> NDArray[np.float64]:
    """Llama 3.1's rule: slow frequencies are divided by the factor, fast ones kept."""
    turns = scaling.original_max_positions * frequencies / (2 * np.pi)
    span = scaling.high_freq_factor - scaling.low_freq_factor
    share = np.clip((turns - scaling.low_freq_factor) / span, 0.0, 1.0)
    return (1 - share) * frequencies / scaling.factor + share * frequencies
