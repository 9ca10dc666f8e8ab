"""check_plan(): refuses a plan that the compiled program could not run with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.check.places import check_places
from aretusa.check.replay import replay
from aretusa.check.rules import Rule, refusal
from aretusa.schedule.streams import StreamError
from aretusa.trace.listing import listing
from aretusa.trace.steps import Forward, TraceError, program_events

if TYPE_CHECKING:
    from aretusa.plan.make import Plan
    from aretusa.trace.listing import Listing


def check_plan(plan: Plan) -> None:
    """Check places, then replay the schedule; raises PlanError with rule, place and numbers."""
    check_listing(listing(plan))


def check_listing(numbers: Listing) -> None:
    """The same for a listing."""
    check_places(numbers)
    check_schedule(numbers)


def check_schedule(numbers: Listing) -> None:
    """Replay a full step from the first position, one token at the last, and the head for both."""
    try:
        replay(numbers, program_events(numbers, forwards(numbers), is_short=True))
    except (StreamError, TraceError) as problem:
        raise refusal(Rule.STREAM, "the schedule", str(problem)) from problem


def forwards(numbers: Listing) -> list[Forward]:
    """The steps that are replayed: every buffer full, then every position seen."""
    chunk = numbers.graph.chunk_max
    return [Forward(chunk, 0, (chunk - 1,)), Forward(1, numbers.graph.context - 1, (0,))]
