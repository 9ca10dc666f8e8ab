"""The cycles that docs/decisions/0009-four-tokens-of-a-3x3-job.md rests on."""

from __future__ import annotations

import pytest

from aretusa.neureka.cycles import job_cycles
from aretusa.neureka.job import ONE_TOKEN, TokenGrid, gemv_3x3
from aretusa.target.load import load_target


def cycles(size: int, grid: TokenGrid) -> int:
    shape = gemv_3x3(size, size, 4, grid, has_prefetch=True)
    return job_cycles(shape, load_target().neureka).total


@pytest.mark.parametrize(
    ("size", "pair_of_jobs", "pair", "four_jobs", "four"),
    [(252, 2548, 1442, 5096, 2162), (576, 16672, 8714, 33344, 10334)],
)
def test_a_grid_takes_less_than_jobs_of_one_token(
    size: int, pair_of_jobs: int, pair: int, four_jobs: int, four: int
) -> None:
    assert 2 * cycles(size, ONE_TOKEN) == pair_of_jobs
    assert cycles(size, TokenGrid(rows=1, cols=2)) == pair
    assert 4 * cycles(size, ONE_TOKEN) == four_jobs
    assert cycles(size, TokenGrid(rows=2, cols=2)) == four
