"""The first answer: best engine of each item, first memory with room, in graph order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.neureka.linear import Engine
    from aretusa.plan.choice import Item, Option, Problem


def first_fit(problem: Problem) -> tuple[int, ...] | None:
    """An option per item, or None if one finds no room. What is left of a memory never grows.

    Equal items run on the engine of the first of them.
    """
    free = dict(problem.free_bytes)
    chosen = [0] * len(problem.items)
    engines: dict[tuple[str, tuple[Option, ...]], Engine | None] = {}
    is_paged = False
    for number in sorted(range(len(problem.items)), key=lambda i: (_can_leave(problem, i), i)):
        item = problem.items[number]
        kind = (item.role, item.options)
        found = next(
            (
                index
                for index in _by_speed(item)
                if engines.get(kind, item.options[index].engine) == item.options[index].engine
                and _has_room(item.options[index], free, problem, is_paged=is_paged)
            ),
            None,
        )
        if found is None:
            return None
        option = item.options[found]
        engines[kind] = option.engine
        for memory, size in option.usage:
            free[memory] -= size
        if option.is_paged and not is_paged:
            memory, size = problem.page_ring
            free[memory] -= size
            is_paged = True
        chosen[number] = found
    return tuple(chosen)


def _can_leave(problem: Problem, number: int) -> bool:
    """Whether an item may lie off chip: those that may not come first."""
    return any(_is_off_chip(option) for option in problem.items[number].options)


def _is_off_chip(option: Option) -> bool:
    return any(memory is MemoryId.L3 for memory, _ in option.usage)


def _by_speed(item: Item) -> list[int]:
    """Options on chip before those off chip, fast before slow, in the order of preference."""
    return sorted(
        range(len(item.options)),
        key=lambda i: (_link(item.options[i]) > 0, item.options[i].load.cycles, i),
    )


def _link(option: Option) -> int:
    return option.load.prefill_link + option.load.decode_link


def _has_room(
    option: Option, free: dict[MemoryId, int], problem: Problem, *, is_paged: bool
) -> bool:
    left = dict(free)
    for memory, size in option.usage:
        left[memory] -= size
    if option.is_paged and not is_paged:
        memory, size = problem.page_ring
        left[memory] -= size
    return all(size >= 0 for size in left.values())
