"""Merge the symbols of one word by byte-pair encoding."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from itertools import pairwise

Ranks = Mapping[tuple[int, int], tuple[int, int]]  # (left, right) -> (rank, out)

_NONE = (-1, -1)  # neither a rank nor a token


def merge(symbols: list[int], ranks: Ranks) -> list[int]:
    """Apply the merge of lowest rank, leftmost first, until none applies.

    O(n log n): a heap of candidates, `rank * n + place` each, over a doubly linked list. A
    candidate whose place has another rank by now is dropped when it surfaces.
    """
    count = len(symbols)
    ids = [*symbols, -1]  # -1 for a symbol that is gone, and for the end
    following = list(range(1, count + 1))
    previous = list(range(-1, count))
    merge_at = [ranks.get(pair, _NONE) for pair in pairwise(symbols)] + [_NONE]
    heap = [rank * count + place for place, (rank, _) in enumerate(merge_at) if rank >= 0]
    heapify(heap)
    while heap:
        rank, place = divmod(heappop(heap), count)
        if merge_at[place][0] != rank:
            continue
        gone = following[place]
        after = following[gone]
        ids[place], ids[gone] = merge_at[place][1], -1
        following[place], previous[after] = after, place
        merge_at[gone] = _NONE
        for left in (previous[place], place):
            if left >= 0:
                merge_at[left] = ranks.get((ids[left], ids[following[left]]), _NONE)
                if merge_at[left][0] >= 0:
                    heappush(heap, merge_at[left][0] * count + left)
    return [one for one in ids if one >= 0]
