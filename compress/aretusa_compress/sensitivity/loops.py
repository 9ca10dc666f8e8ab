"""How much a generated text repeats itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def repetition(tokens: Sequence[int], run: int) -> float:
    """Share of the runs of `run` tokens that stood in the text before; 0 for short texts."""
    runs = [tuple(tokens[start : start + run]) for start in range(len(tokens) - run + 1)]
    return 1.0 - len(set(runs)) / len(runs) if runs else 0.0


def longest_loop(tokens: Sequence[int]) -> int:
    """Tokens of the longest stretch that is one part said twice or more often; 0 if there is none.

    The last time the part may be cut off: `a b c a b c a` is a loop of 7.
    """
    longest = 0
    for period in range(1, len(tokens) // 2 + 1):
        equal = 0
        for place in range(period, len(tokens)):
            equal = equal + 1 if tokens[place] == tokens[place - period] else 0
            if equal >= period:
                longest = max(longest, equal + period)
    return longest
