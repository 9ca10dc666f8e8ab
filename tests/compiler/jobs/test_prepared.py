"""Prepared jobs are those that the program would compute."""

from __future__ import annotations

import pytest
from listings import PLANS, listing_named

from aretusa.jobs.prepared import JOBS_MAX, one_token_job, prepared_jobs
from aretusa.jobs.registers import job_image
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.target.description import MemoryId
from aretusa.trace.event import JobStart
from aretusa.trace.layouts import EngineRows
from aretusa.trace.listing import ENGINE_SUFFIX
from aretusa.trace.steps import Forward, program_events

ADDRESSES = 3  # the first registers


@pytest.mark.parametrize("name", PLANS)
def test_a_decoded_token_has_exactly_these_jobs(name: str) -> None:
    listing = listing_named(name)
    prepared, pieces = prepared_jobs(listing), engine_pieces(listing.graph)
    memories = {region.name: region.memory for region in listing.regions}
    used: set[int] = set()
    for event in program_events(listing, [Forward(1, 3, (0,))]):
        if isinstance(event, JobStart):
            matrix = event.weights.content.removesuffix(ENGINE_SUFFIX)
            engine = listing.matrices[matrix].engine
            assert engine is not None
            is_near = memories[event.weights.content] is not MemoryId.L3
            numbers = set(prepared.numbers(matrix)) - {0}
            assert bool(numbers) == (is_near and not engine.group and not engine.is_unsigned)
            jobs = {prepared.jobs[number - 1].rows: number for number in numbers}
            if jobs:
                number = jobs[event.out_channels]
                image = job_image(listing.target, event, from_zero=pieces[matrix].from_zero)
                registers = prepared.jobs[number - 1].registers
                assert list(registers[ADDRESSES:]) == image.tolist()[ADDRESSES:]
                used.add(number)
    assert used == set(range(1, len(prepared.jobs) + 1))


def test_a_job_has_no_addresses_yet() -> None:
    engine = EngineRows(rows=64, depth=96, bits=4, is_1x1=True, has_bias=False, is_unsigned=False)
    assert one_token_job(engine, 64).registers[:ADDRESSES] == (0, 0, 0)


def test_few_jobs_are_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix has both of its jobs or none; those that more layers use come first."""
    listing = listing_named("chosen")
    every = prepared_jobs(listing)
    assert 1 < len(every.jobs) <= JOBS_MAX
    monkeypatch.setattr("aretusa.jobs.prepared.JOBS_MAX", 1)
    one = prepared_jobs(listing)
    assert len(one.jobs) == 1
    assert 0 < len(one.by_matrix) < len(every.by_matrix)
    assert set(one.by_matrix.values()) == {(1, 0)}
