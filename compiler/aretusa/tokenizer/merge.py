"""Merge the symbols of one word by byte-pair encoding."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from itertools import pairwise

Ranks = Mapping[tuple[int, int], tuple[int, int]]  # (left, right) -> (rank, out)


def merge(symbols: list[int], ranks: Ranks) -> list[int]:
    """Apply the merge of lowest rank, leftmost first, until none applies.

    O(n log n): a heap of candidates over a doubly linked list. A candidate whose pair has changed
    since is dropped when it surfaces.
    """
    ids: list[int | None] = list(symbols)
    following = [*range(1, len(ids)), -1]
    previous = list(range(-1, len(ids) - 1))
    heap = [
        (ranks[pair][0], place, pair)
        for place, pair in enumerate(pairwise(symbols))
        if pair in ranks
    ]
    heapify(heap)
    while heap:
        _, place, pair = heappop(heap)
        right = following[place]
        if right < 0 or (ids[place], ids[right]) != pair:
            continue
        ids[place], ids[right] = ranks[pair][1], None
        following[place] = following[right]
        if following[right] >= 0:
            previous[following[right]] = place
        for left in (previous[place], place):
            _push(heap, ids, following, left, ranks)
    return [one for one in ids if one is not None]


def _push(
    heap: list[tuple[int, int, tuple[int, int]]],
    ids: list[int | None],
    following: list[int],
    left: int,
    ranks: Ranks,
) -> None:
    """Offer the pair that begins at `left`, if there is one and it merges."""
    if left < 0 or following[left] < 0:
        return
    one, two = ids[left], ids[following[left]]
    if one is not None and two is not None and (one, two) in ranks:
        heappush(heap, (ranks[one, two][0], left, (one, two)))
