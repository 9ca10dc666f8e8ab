"""Rule: what every plan keeps; `require` raises PlanError where one does not."""

from __future__ import annotations

from enum import StrEnum

from aretusa.errors import PlanError


class Rule(StrEnum):
    """One rule; the value is how it is told."""

    TABLES = "each layer is run by the function of its kind, from its own row"
    PRESENT = "everything that the program names has one place, and nothing else has"
    SIZE = "a region has the bytes of what it holds"
    HOME = "a region lies in a memory that its users reach"
    CAPACITY = "a region ends inside its memory"
    ALIGNED = "a region starts at a beat of 32 bytes"
    HEADER = "regions lie behind the image's header"
    IMAGE = "constants form one image, and what is written lies a page behind it"
    APART = "regions that are alive at the same time share no byte"
    ALIVE = "a buffer is alive in every epoch that uses it"
    RING = "a ring's slots hold every load"
    UNIT = "a unit of the engine fits its buffers"
    KERNEL = "a kernel's sizes are in its bounds"
    # of the schedule
    STARTED = "waits are for what was given, in order, and nothing is left over"
    ROOM = "a queue holds no more than it has room for"
    INSIDE = "an access stays in its region"
    REACH = "a unit reaches the memories that it works on"
    LANDED = "what is read is there, and nothing else"
    BUSY = "nothing is touched that something unfinished still reads or writes"
    STREAM = "loads are awaited and released in turn"


def refusal(rule: Rule, where: str, numbers: str) -> PlanError:
    """What a plan is refused with."""
    return PlanError("E0908", rule=rule.value, where=where, numbers=numbers)


def require(is_kept: bool, rule: Rule, where: str, numbers: str) -> None:
    """Refuse the plan unless the rule is kept."""
    if not is_kept:
        raise refusal(rule, where, numbers)
