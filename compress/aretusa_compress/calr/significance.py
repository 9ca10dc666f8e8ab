"""Whether paired differences are more than chance: of windows, and of seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXACT: Final = 16  # differences; 65,536 ways to set their signs
_DRAWS: Final = 100_000
_AT_ONCE: Final = 2_000
# Sums of the same numbers in another order differ in the last bits of binary64.
_TIE: Final = 1.0 - 1e-9


def p_value(differences: Sequence[float], *, seed: int = 0) -> float:
    """Two-sided permutation test of pairs: how often chance makes the mean this far from zero.

    If it does not matter which one of a pair is which, every sign is as likely as its opposite. Up
    to 16 pairs all ways to set the signs are looked at, otherwise 100,000 random ones; the way that
    was observed is one of them, so that the value is never zero.
    """
    values = np.asarray(differences, np.float64)
    assert len(values) > 0, "there are no pairs"
    observed = abs(values.sum()) * _TIE
    if len(values) <= _EXACT:
        ways = np.arange(1 << len(values))
        signs = 1.0 - 2.0 * ((ways[:, None] >> np.arange(len(values))) & 1)
        return float((np.abs(signs @ values) >= observed).mean())
    random = np.random.default_rng(seed)
    extreme = 1
    for _ in range(_DRAWS // _AT_ONCE):
        signs = random.choice([-1.0, 1.0], size=(_AT_ONCE, len(values)))
        extreme += int((np.abs(signs @ values) >= observed).sum())
    return extreme / (_DRAWS + 1)


def p_of_seeds(differences: Sequence[float]) -> float | None:
    """Two-sided paired t-test, one difference for each seed; None if they do not vary at all.

    Few seeds leave no way but to assume that differences are normally distributed: the signs of
    three of them alone are all equal every fourth time.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or np.ptp(values) == 0.0:
        return None
    return float(stats.ttest_1samp(values, 0.0).pvalue)
