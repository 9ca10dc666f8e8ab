"""Ranks from shares and budgets."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.neureka.layout import WORD_BYTES, packed_gemv_3x3_bytes
from aretusa_compress.svd.ranks import (
    Candidate,
    Size,
    distribute,
    fixed_rank,
    least_parameters,
    rank_for_share,
)


@st.composite
def candidates(draw: st.DrawFn, tile: int = 1) -> dict[str, Candidate]:
    found = {}
    for index in range(draw(st.integers(1, 3))):
        size = Size(draw(st.integers(2, 6)), draw(st.integers(2, 6)), tile)
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


@pytest.mark.parametrize("shape", [(576, 1536), (1536, 576), (192, 576), (252, 252), (252, 756)])
def test_tiles_count_what_n_eureka_stores(shape: tuple[int, int]) -> None:
    bits, (rows, depth) = 5, shape
    plane_bytes = Fraction(WORD_BYTES, 252) * bits
    size = Size(rows, depth, tile=252)
    assert size.parameters * plane_bytes == packed_gemv_3x3_bytes(rows, depth, bits)
    for rank in (1, 64, 251, 252, 253):
        inner = packed_gemv_3x3_bytes(rank, depth, bits)
        outer = packed_gemv_3x3_bytes(rows, rank, bits)
        assert size.factored(rank) * plane_bytes == inner + outer
        assert packed_gemv_3x3_bytes(rows, size.tile_end(rank), bits) == outer
        assert packed_gemv_3x3_bytes(rows, size.tile_end(rank) + 1, bits) > outer


def test_factors_as_large_as_tiles_save_less() -> None:
    assert Size(252, 252, tile=252).largest_rank == 0  # a tile more, whatever the rank
    assert Size(756, 252, tile=252).largest_rank == 0
    assert Size(252, 756, tile=252).largest_rank == 167
    assert Size(1536, 576, tile=252).largest_rank == Size(1536, 576).largest_rank == 418


def test_a_budget_of_tiles_fills_them() -> None:
    size = Size(1536, 576, tile=252)
    gains = [1.0] * 576
    for share, expected in ((0.52, 252), (0.6, 252), (0.95, 418)):
        found = distribute({"one": Candidate(size, gains)}, int(share * size.parameters))
        assert found == {"one": expected}
    plain = distribute({"one": Candidate(Size(1536, 576), gains)}, int(0.6 * 1536 * 576))
    assert plain == {"one": 251}


@given(candidates(tile=4), st.integers(0, 200))
def test_a_budget_of_tiles_is_never_exceeded(every: dict[str, Candidate], more: int) -> None:
    budget = least_parameters(every, 1) + more
    found = distribute(every, budget)
    assert sum(parameters(every[name], rank) for name, rank in found.items()) <= budget


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
