"""Equal items are decided together: layers repeat, and a class has one integer per option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.plan.choice import Item, Option, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemClass:
    """Items with the same options; `members` are their numbers in the problem, in order."""

    options: tuple[Option, ...]
    members: tuple[int, ...]


def item_classes(problem: Problem) -> list[ItemClass]:
    """Classes in the order of their first members."""
    found: dict[tuple[str, tuple[Option, ...]], list[int]] = {}
    for index, item in enumerate(problem.items):
        found.setdefault((item.role, item.options), []).append(index)
    return [
        ItemClass(options=options, members=tuple(members))
        for (_, options), members in found.items()
    ]


def spread(
    problem: Problem, classes: Sequence[ItemClass], counts: Sequence[Sequence[int]]
) -> tuple[int, ...]:
    """Option of each item for known `counts[class][option]`: earlier layers get earlier ones."""
    chosen = [0] * len(problem.items)
    for item_class, numbers in zip(classes, counts, strict=True):
        members = iter(item_class.members)
        for option, number in enumerate(numbers):
            for _ in range(number):
                chosen[next(members)] = option
    return tuple(chosen)


def engines_of(item: Item) -> list[str]:
    """Names of the engines among an item's options."""
    return sorted({"" if option.engine is None else option.engine for option in item.options})
