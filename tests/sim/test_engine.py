from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from aretusa.trace.event import Queue
from aretusa_sim.engine import Timeline
from aretusa_sim.units import JOBS, Cause, Costs, Unit

FREE: Final = Costs(barrier=0, wake=0, check=0, give=0, program=0, chunk=100)
DMA, OFF_CHIP, PAGES = int(Queue.DMA), int(Queue.OFF_CHIP), int(Queue.PAGES)
ENGINE, DMA_IN, DMA_OUT, LINK = (
    int(unit) for unit in (Unit.ENGINE, Unit.DMA_IN, Unit.DMA_OUT, Unit.LINK)
)


def _timeline(**costs: int) -> Timeline:
    return Timeline(replace(FREE, **costs), has_intervals=True)


def _spans(timeline: Timeline, unit: int) -> list[tuple[int, int, int]]:
    assert timeline.intervals is not None
    return [(start, end, label) for one, start, end, label in timeline.intervals if one == unit]


def test_work_and_a_transfer_run_beside_each_other() -> None:
    timeline = _timeline()
    timeline.give(DMA, ((DMA_IN, 300),), 1)
    timeline.work(200, 2)
    timeline.wait(DMA, 0)
    assert (timeline.now, timeline.working, timeline.stalls[Cause.DMA]) == (300, 200, 100)


def test_what_is_done_costs_a_look_and_a_sleep_costs_waking() -> None:
    timeline = _timeline(check=5, wake=8)
    timeline.give(DMA, ((DMA_IN, 10),), 1)
    timeline.wait(DMA, 0)
    assert (timeline.now, timeline.stalls[Cause.DMA]) == (18, 18)
    timeline.wait(DMA, 0)
    assert (timeline.now, timeline.giving) == (23, 5)


def test_both_directions_move_at_once_and_each_in_order() -> None:
    timeline = _timeline()
    for label, unit in enumerate((DMA_IN, DMA_OUT, DMA_IN)):
        timeline.give(DMA, ((unit, 100),), label)
    timeline.wait(DMA, 0)
    assert _spans(timeline, DMA_IN) == [(0, 100, 0), (100, 200, 2)]
    assert _spans(timeline, DMA_OUT) == [(0, 100, 1)]


def test_a_transfer_is_done_when_all_before_it_are() -> None:
    timeline = _timeline()
    timeline.give(DMA, ((DMA_IN, 100),), 0)
    timeline.give(DMA, ((DMA_OUT, 10),), 1)
    timeline.wait(DMA, 0)
    assert timeline.now == 100


def test_the_engine_takes_two_jobs_and_the_third_waits_for_room() -> None:
    timeline = _timeline()
    for label in range(3):
        timeline.give(JOBS, ((ENGINE, 100),), label)
    assert (timeline.now, timeline.stalls[Cause.ENGINE]) == (100, 100)
    timeline.wait(JOBS, 0)
    assert timeline.now == 300


def test_a_queue_of_transfers_holds_sixteen() -> None:
    timeline = _timeline()
    for label in range(17):
        timeline.give(DMA, ((DMA_IN, 10),), label)
    assert timeline.now == 10


def test_something_urgent_passes_waiting_pages_at_once() -> None:
    timeline = _timeline()
    for label in range(2):
        timeline.give(PAGES, ((LINK, 60),), label)
    timeline.work(1, 9)
    timeline.give(OFF_CHIP, ((LINK, 20),), 5)
    timeline.finish()
    assert [label for *_, label in _spans(timeline, LINK)] == [0, 5, 1]


def test_a_page_gives_way_behind_its_chunk_and_goes_on_in_front_of_other_pages() -> None:
    timeline = _timeline()
    timeline.give(PAGES, ((LINK, 410),), 0)  # the rest of its set-up comes with the last chunk
    timeline.give(PAGES, ((LINK, 110),), 1)
    timeline.work(150, 9)
    timeline.give(OFF_CHIP, ((LINK, 50), (DMA_IN, 7)), 5)
    timeline.wait(OFF_CHIP, 0)
    assert timeline.now == 200 + 50 + 7
    timeline.wait(PAGES, 0)
    assert _spans(timeline, LINK) == [(0, 200, 0), (200, 250, 5), (250, 460, 0), (460, 570, 1)]
    assert timeline.busy[LINK] == 570


def test_what_is_left_of_a_page_passes_the_stages_behind_the_link() -> None:
    timeline = _timeline()
    timeline.give(PAGES, ((LINK, 300), (DMA_IN, 30), (DMA_OUT, 40)), 0)
    timeline.work(150, 9)
    timeline.give(OFF_CHIP, ((LINK, 50),), 5)
    timeline.wait(PAGES, 0)
    assert _spans(timeline, LINK) == [(0, 200, 0), (200, 250, 5), (250, 350, 0)]
    assert _spans(timeline, DMA_IN) == [(350, 380, 0)]
    assert _spans(timeline, DMA_OUT) == [(380, 420, 0)]
    assert timeline.now == 420


def test_a_task_that_was_never_given_is_an_error() -> None:
    with pytest.raises(ValueError, match="never given"):
        _timeline().wait(DMA, -1)


def test_what_a_page_has_left_is_told_by_a_frozen_timeline() -> None:
    timeline = _timeline()
    timeline.give(PAGES, ((LINK, 410),), 3)
    timeline.work(100, 9)
    early = timeline.freeze()
    other = _timeline()
    other.work(5000, 9)
    other.give(PAGES, ((LINK, 410),), 3)
    other.work(100, 9)
    assert other.freeze() == early
    other.work(1, 9)
    assert other.freeze() != early
