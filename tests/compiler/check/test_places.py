"""Every valid plan is accepted, and every one that was made wrong is refused by the right rule."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from changes import with_capacity, with_ring_region
from listings import PLANS, listing_named, plan_named
from wrong_regions import wrong_regions
from wrong_sizes import wrong_sizes

from aretusa.check.plan import check_listing, check_plan
from aretusa.check.rules import Rule
from aretusa.errors import ExitCode, PlanError
from aretusa.memory.working_set import PAGES_RING
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from changes import Wrong

    from aretusa.trace.listing import Listing

SAMPLE: Final = 200  # wrong plans of each kind of program; there are about a thousand


def wrong_listings(valid: Listing) -> list[Wrong]:
    return [*wrong_regions(valid), *wrong_sizes(valid)]


def refusal_of(wrong: Wrong) -> PlanError | None:
    try:
        check_listing(wrong.listing)
    except PlanError as error:
        return error
    return None


@pytest.mark.parametrize("name", PLANS)
def test_valid_plans_are_accepted(name: str) -> None:
    check_plan(plan_named(name))


@pytest.mark.parametrize("name", PLANS)
def test_wrong_plans_are_refused_by_the_right_rule(name: str) -> None:
    every = wrong_listings(listing_named(name))
    assert len(every) > SAMPLE
    sample = random.Random(name).sample(every, SAMPLE)  # noqa: S311 - the same every time
    found = {wrong.what: wrong for wrong in sample}
    errors = {what: refusal_of(wrong) for what, wrong in found.items()}
    assert [what for what, error in errors.items() if error is None] == []
    assert [
        f"{what}: {error}"
        for what, error in errors.items()
        if error is not None and error.rule not in found[what].rules
    ] == []


def test_every_rule_of_places_refuses_some_plan() -> None:
    rules = {
        rule
        for name in ("paged split", "3x3")
        for wrong in wrong_listings(listing_named(name))
        for rule in wrong.rules
    }
    assert rules >= {
        Rule.TABLES,
        Rule.PRESENT,
        Rule.SIZE,
        Rule.HOME,
        Rule.CAPACITY,
        Rule.ALIGNED,
        Rule.HEADER,
        Rule.IMAGE,
        Rule.APART,
        Rule.ALIVE,
        Rule.RING,
        Rule.UNIT,
        Rule.KERNEL,
    }


@pytest.mark.parametrize("memory", MemoryId)
def test_a_memory_may_be_full_but_for_nothing_more(memory: MemoryId) -> None:
    listing = listing_named("paged split")
    here = [region for region in listing.regions if region.memory is memory]
    used = -(-max(region.offset_bytes + region.size_bytes for region in here) // 32) * 32
    check_listing(with_capacity(listing, memory, used))
    with pytest.raises(PlanError, match=rf"which has {used - 32}\b") as caught:
        check_listing(with_capacity(listing, memory, used - 32))
    assert caught.value.rule == Rule.CAPACITY


def test_reserved_bytes_belong_to_stacks_and_code() -> None:
    listing = listing_named("chosen")
    memory = listing.target.memory(MemoryId.L1)
    here = [region for region in listing.regions if region.memory is MemoryId.L1]
    used = max(region.offset_bytes + region.size_bytes for region in here)
    stacks = replace(memory, reserved_bytes=memory.size_bytes - used + 32)
    memories = (stacks, *listing.target.memories[1:])
    with pytest.raises(PlanError, match="ends inside its memory"):
        check_listing(replace(listing, target=replace(listing.target, memories=memories)))


@pytest.mark.parametrize("name", ["paged 3x3", "paged 1x1", "paged split"])
@pytest.mark.parametrize("slots", [1, 2])
def test_fewer_slots_of_pages_serve_as_well(name: str, slots: int) -> None:
    listing = listing_named(name)
    check_listing(
        with_ring_region(listing, PAGES_RING, replace(listing.working.pages, slots=slots))
    )


def test_a_refusal_says_where_which_rule_and_how_much() -> None:
    listing = listing_named("chosen")
    with pytest.raises(PlanError) as caught:
        check_listing(listing.without("hidden"))
    error = caught.value
    assert error.code == "E0908"
    assert error.exit_code is ExitCode.INTERNAL
    assert error.where == "hidden"
    assert error.rule == Rule.PRESENT
    assert error.numbers == "no region of that name"
    assert error.line().startswith("error[E0908]: the plan is wrong at hidden: ")
