"""The replay accepts what the program does, and refuses every schedule that was made wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from changes import with_numbers
from listings import PLANS, listing_named
from wrong_events import KINDS, wrong_schedules

from aretusa.check.plan import check_listing, forwards
from aretusa.check.replay import Replay, replay
from aretusa.check.rules import Rule
from aretusa.errors import PlanError
from aretusa.jobs.registers import job_image
from aretusa.memory.contents import ROPE_COSINE
from aretusa.neureka.check import Windows, check_job
from aretusa.neureka.registers import Register
from aretusa.schedule.roll import HIDDEN
from aretusa.target.description import MemoryId
from aretusa.trace.event import Extent, JobStart, JobWait, Queue, TransferStart
from aretusa.trace.steps import Forward, program_events

if TYPE_CHECKING:
    from aretusa.trace.event import Event
    from aretusa.trace.listing import Listing


def events_of(listing: Listing) -> list[Event]:
    return list(program_events(listing, forwards(listing)))


@pytest.mark.parametrize("name", PLANS)
def test_wrong_schedules_are_refused(name: str) -> None:
    listing = listing_named(name)
    accepted, count = [], 0
    for what, wrong in wrong_schedules(events_of(listing), seed=len(name)):
        count += 1
        try:
            replay(listing, wrong)
        except PlanError:
            continue
        accepted.append(what)
    assert accepted == []
    assert count > 45


def test_every_kind_of_mistake_is_made() -> None:
    made = {
        what.partition(",")[0]
        for name in ("paged split", "split")
        for what, _ in wrong_schedules(events_of(listing_named(name)), seed=0)
    }
    assert made == KINDS.keys()


@pytest.mark.parametrize("name", PLANS)
def test_every_number_of_tokens_runs_from_every_third_position(name: str) -> None:
    listing = listing_named(name)
    chunk, context = listing.graph.chunk_max, listing.graph.context
    steps = [
        Forward(tokens, (tokens * 13) % (context - tokens + 1), (tokens - 1, 0))
        for tokens in range(1, chunk + 1)
    ]
    replay(listing, program_events(listing, steps))


def test_a_full_context_runs_in_chunks() -> None:
    listing = listing_named("split")
    chunk, context = listing.graph.chunk_max, listing.graph.context
    steps = [
        Forward(min(chunk, context - first), first, (0,)) for first in range(0, context, chunk)
    ]
    replay(listing, program_events(listing, steps))


@pytest.mark.parametrize("name", PLANS)
def test_jobs_touch_the_bytes_that_their_registers_say(name: str) -> None:
    listing = listing_named(name)
    sizes = {memory.id: memory.size_bytes for memory in listing.target.memories}
    windows = Windows(
        l1_bytes=sizes[MemoryId.L1],
        mram_bytes=sizes[MemoryId.MRAM],
        sram_bytes=sizes[MemoryId.SRAM],
    )
    for event in events_of(listing):
        if isinstance(event, JobStart):
            image = job_image(listing.target, event, from_zero=False)
            if event.weights.memory is MemoryId.SRAM:  # right behind the MRAM, whatever its size
                image[Register.WEIGHTS] = windows.mram_bytes + event.weights.offset_bytes
            touched = check_job(image, windows)
            assert len(touched.weights) == event.weights.size_bytes
            assert touched.inputs.start == event.inputs.offset_bytes
            assert (touched.outputs.start, touched.outputs.stop) == (
                event.outputs.offset_bytes,
                event.outputs.end_bytes,
            )


@pytest.mark.parametrize("name", ["streamed", "paged 3x3", "paged split"])
def test_a_schedule_told_by_its_ends_is_accepted_as_well(name: str) -> None:
    listing = with_small_loads(listing_named(name))
    check_listing(listing)
    whole = events_of(listing)
    short = list(program_events(listing, forwards(listing), is_short=True))
    replay(listing, whole)
    replay(listing, short)
    assert len(short) < len(whole) * 3 // 4


def with_small_loads(listing: Listing) -> Listing:
    """Every tile one block of rows, every page one tile of channels."""
    for place, part in enumerate(listing.parts):
        for index, numbers in enumerate(part.linears):
            if numbers is not None:
                small = replace(
                    numbers,
                    tile_rows=min(numbers.tile_rows, 8),
                    slice_rows=min(numbers.slice_rows, 32),
                )
                listing = with_numbers(listing, (place, index), small)
    return listing


def test_a_third_job_has_no_room() -> None:
    listing = listing_named("paged 1x1")
    events = events_of(listing)
    at = next(
        at
        for at, event in enumerate(events)
        if isinstance(event, JobWait) and isinstance(events[at + 1], JobStart)
    )
    with pytest.raises(PlanError, match=r"N-EUREKA \d+ behind 2") as caught:
        replay(listing, [*events[:at], *events[at + 1 :]])
    assert caught.value.rule == Rule.ROOM


def test_a_seventeenth_transfer_has_no_room() -> None:
    listing = listing_named("cluster")
    regions = {region.name: region for region in listing.regions}
    machine = Replay(listing)

    def give(number: int) -> None:
        source, target = (
            Extent(name, regions[name].memory, regions[name].offset_bytes + 32 * number, 32)
            for name in (ROPE_COSINE, HIDDEN)
        )
        machine.run(TransferStart(Queue.DMA, number, source, target))

    for number in range(1, 17):
        give(number)
    with pytest.raises(PlanError, match="DMA 17 behind 16") as caught:
        give(17)
    assert caught.value.rule == Rule.ROOM


def test_nothing_may_be_left_running() -> None:
    listing = listing_named("3x3")
    events = events_of(listing)
    last = max(at for at, event in enumerate(events) if isinstance(event, JobStart))
    with pytest.raises(PlanError, match="N-EUREKA not awaited") as caught:
        replay(listing, events[: last + 1])
    assert caught.value.rule == Rule.STARTED
