"""Why there is no plan: which memory is short of how many bytes, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.errors import CapacityError
from aretusa.memory.lifetimes import buffers, step_labels
from aretusa.memory.placement import ALIGN_BYTES, align
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.memory.body import Body
    from aretusa.plan.choice import Problem
    from aretusa.plan.make import Request

FIX: Final = "`aretusa plan` lists changes that make it fit: less context, fewer bits, more memory"


def no_home(problem: Problem, request: Request) -> CapacityError:
    """The first item that finds no room when every item takes as little as it can."""
    free = dict(problem.free_bytes)
    for item in problem.items:
        sizes = [dict(option.usage) for option in item.options]
        fitting = [
            size for size in sizes if all(free[memory] >= need for memory, need in size.items())
        ]
        if fitting:
            taken = min(fitting, key=lambda size: sum(size.values()))
            for memory, need in taken.items():
                free[memory] -= need
            continue
        homes = {memory for size in sizes for memory in size}
        largest = max(homes, key=lambda memory: (problem.free_bytes[memory], memory))
        short = max(1, _least_total(problem) - sum(problem.free_bytes.values()))
        least = min(sum(size.values()) for size in sizes)
        return CapacityError(
            "E0401",
            what=f"{item.name!r}, the first that finds no room,",
            memory=largest.name,
            need_bytes=free[largest] + max(short, least - free[largest]),
            free_bytes=free[largest],
            fix=FIX,
        )
    memory, ring = problem.page_ring
    return CapacityError(
        "E0401",
        what=f"the ring of pages for {request.graph.name}",
        memory=memory.name,
        need_bytes=ring,
        free_bytes=max(0, min(free[memory], ring - 1)),
        fix=FIX,
    )


def _least_total(problem: Problem) -> int:
    return sum(
        min(sum(size for _, size in option.usage) for option in item.options)
        for item in problem.items
    )


def no_l1(request: Request, drafts: Sequence[Sequence[Body]]) -> CapacityError:
    """What must lie in L1 even for the shortest step; the least of the programs that were tried."""
    needs = [(*_most_alive(parts), parts[0].graph.chunk_max) for parts in drafts]
    need, label, chunk = min(needs)
    free = request.target.memory(MemoryId.L1).capacity_bytes
    tokens = "one token" if chunk == 1 else f"{chunk} tokens"
    return CapacityError(
        "E0401",
        what=f"a step of {tokens} at {label!r}",
        memory="L1",
        need_bytes=max(need, free + ALIGN_BYTES),
        free_bytes=free,
        fix=FIX,
    )


def _most_alive(parts: Sequence[Body]) -> tuple[int, str]:
    """Most bytes of L1 that are alive at one step, and that step."""
    wanted = [buffer for buffer in buffers(parts) if buffer.needs_l1]
    steps = {buffer.first for buffer in wanted}

    def needed(step: int) -> int:
        return sum(align(b.size_bytes) for b in wanted if b.first <= step <= b.last)

    worst = max(steps, key=lambda step: (needed(step), -step))
    return needed(worst), step_labels(parts)[worst]
