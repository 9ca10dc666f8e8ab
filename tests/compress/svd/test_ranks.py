"""Ranks from shares and budgets."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa_compress.svd.ranks import (
    Candidate,
    Size,
    distribute,
    fixed_rank,
    least_parameters,
    rank_for_share,
)


@st.composite
def candidates(draw: st.DrawFn) -> dict[str, Candidate]:
    found = {}
    for index in range(draw(st.integers(1, 3))):
        size = Size(draw(st.integers(2, 6)), draw(st.integers(2, 6)))
        count = min(size.rows, size.depth)
        gains = draw(st.lists(st.integers(0, 50), min_size=count, max_size=count))
        found[str(index)] = Candidate(size, sorted(map(float, gains), reverse=True))
    return found


def parameters(one: Candidate, rank: int | None) -> int:
    return one.size.parameters if rank is None else one.size.factored(rank)


def loss(one: Candidate, rank: int | None) -> float:
    return 0.0 if rank is None else math.fsum(one.gains[rank:])


def choices(one: Candidate) -> list[int | None]:
    return [None, *range(1, one.size.largest_rank + 1)]


def test_the_largest_rank_saves_and_the_next_one_does_not() -> None:
    for size in (Size(576, 1536), Size(192, 576), Size(7, 7), Size(1, 5)):
        assert size.factored(size.largest_rank) < size.parameters
        assert size.factored(size.largest_rank + 1) >= size.parameters


def test_a_share_is_kept_at_most() -> None:
    size = Size(576, 1536)
    rank = rank_for_share(size, 0.5, 1)
    assert rank is not None
    assert size.factored(rank) <= 0.5 * size.parameters < size.factored(rank + 1)
    assert rank_for_share(size, 0.5, 16) == rank - rank % 16


def test_factors_that_save_nothing_are_not_made() -> None:
    assert fixed_rank(Size(64, 64), 31, 1) == 31
    assert fixed_rank(Size(64, 64), 32, 1) is None
    assert fixed_rank(Size(64, 64), 5, 16) == 16  # the least multiple


@given(candidates(), st.integers(0, 120))
def test_a_budget_is_never_exceeded_and_never_worse_with_more(
    every: dict[str, Candidate], more: int
) -> None:
    budget = least_parameters(every, 1) + more
    found = distribute(every, budget)
    assert sum(parameters(every[name], rank) for name, rank in found.items()) <= budget
    larger = distribute(every, sum(one.size.parameters for one in every.values()) + more)
    assert all(rank is None for rank in larger.values())


@given(candidates(), st.integers(0, 120))
def test_the_loss_is_within_one_step_of_the_best_there_is(
    every: dict[str, Candidate], more: int
) -> None:
    budget = least_parameters(every, 1) + more
    found = distribute(every, budget)
    reached = sum(loss(every[name], rank) for name, rank in found.items())
    best = min(
        sum(loss(one, rank) for one, rank in zip(every.values(), ranks, strict=True))
        for ranks in itertools.product(*map(choices, every.values()))
        if sum(parameters(one, r) for one, r in zip(every.values(), ranks, strict=True)) <= budget
    )
    # The greedy answer to the problem of items and a sack misses at most its last, split item.
    assert reached <= best + max(sum(one.gains) for one in every.values()) + 1e-9


def test_what_lowers_the_loss_most_gets_the_parameters() -> None:
    size = Size(40, 40)
    every = {
        "steep": Candidate(size, [100.0, 1.0, *[0.0] * 38]),
        "flat": Candidate(size, [10.0] * 40),
    }
    found = distribute(every, size.factored(1) * 12)
    assert found == {"steep": 1, "flat": 11}


def test_too_small_a_budget_is_a_slip_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="2 parameters too few"):
        distribute({"one": Candidate(Size(40, 40), [1.0] * 40)}, 78)
