"""find_pillars(): the units that a compressed model misses most; what goes with being missed."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The standard deviation of a normal distribution over its median distance from the median.
_DEVIATION: Final = 1.4826


def outlyingness(values: Mapping[str, float]) -> dict[str, float]:
    """How many robust standard deviations each value lies above the median.

    Where more than half of the values are equal, what differs from them is infinitely far away.
    """
    middle = median(values.values())
    spread = _DEVIATION * median(abs(value - middle) for value in values.values())

    def distance(value: float) -> float:
        away = value - middle
        if spread > 0:
            return away / spread
        return 0.0 if away == 0 else away * float("inf")

    return {name: distance(value) for name, value in values.items()}


def find_pillars(gains: Mapping[str, float], *, threshold: float, at_most: int) -> list[str]:
    """The names whose gain is above zero and `threshold` or more from the rest, greatest first."""
    far = outlyingness(gains)
    found = [name for name, gain in gains.items() if gain > 0 and far[name] >= threshold]
    return sorted(found, key=lambda name: (-gains[name], name))[:at_most]


def rank_correlation(gains: Sequence[float], property_: Sequence[float]) -> float | None:
    """Spearman's, -1 to 1: whether units with more of a property are missed more.

    None if there are too few units, or all are equal in one of the two.
    """
    if len(gains) < 3 or len(set(gains)) == 1 or len(set(property_)) == 1:
        return None
    return float(stats.spearmanr(gains, property_).statistic)
