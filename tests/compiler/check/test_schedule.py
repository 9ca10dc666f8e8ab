"""The replay accepts what the program does, and refuses every schedule that was made wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from listings import PLANS, listing_named
from wrong_events import KINDS, wrong_schedules

from aretusa.check.plan import forwards
from aretusa.check.replay import replay
from aretusa.check.rules import Rule
from aretusa.errors import PlanError
from aretusa.trace.event import JobStart, JobWait, Touch, TransferStart, TransferWait
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


@pytest.mark.parametrize(
    ("unit", "start", "wait"),
    [("DMA", TransferStart, TransferWait), ("N-EUREKA", JobStart, JobWait)],
)
def test_a_queue_has_its_room(unit: str, start: type, wait: type) -> None:
    listing = listing_named("1x1")
    events = [event for event in events_of(listing) if not isinstance(event, wait | Touch)]
    assert any(isinstance(event, start) for event in events)
    kept = [event for event in events if isinstance(event, start)]
    with pytest.raises(PlanError) as caught:
        replay(listing, kept)
    assert caught.value.rule in {Rule.ROOM, Rule.BUSY, Rule.LANDED}
