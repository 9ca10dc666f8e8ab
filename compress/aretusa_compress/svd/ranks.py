"""How many components each matrix keeps: numbers in, numbers out."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Size:
    """Of a matrix."""

    rows: int
    depth: int

    @property
    def parameters(self) -> int:
        """As it is."""
        return self.rows * self.depth

    def factored(self, rank: int) -> int:
        """Parameters of two factors."""
        return rank * (self.rows + self.depth)

    @property
    def largest_rank(self) -> int:
        """The largest rank with fewer parameters than the matrix; 0 if there is none."""
        return (self.parameters - 1) // (self.rows + self.depth)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A matrix and what each of its components takes off the loss, the strongest first."""

    size: Size
    gains: Sequence[float]


def fixed_rank(size: Size, rank: int, multiple: int) -> int | None:
    """The rank as asked for, down to a multiple; None: the matrix stays."""
    found = max(multiple, rank - rank % multiple)
    return found if found <= size.largest_rank else None


def rank_for_share(size: Size, share: float, multiple: int) -> int | None:
    """The largest rank whose factors hold that share of the parameters; None: it stays."""
    return fixed_rank(size, math.floor(share * size.parameters / size.factored(1)), multiple)


def least_parameters(candidates: Mapping[str, Candidate], multiple: int) -> int:
    """What the candidates hold at the least rank that each can have."""
    return sum(
        one.size.parameters if one.size.largest_rank < multiple else one.size.factored(multiple)
        for one in candidates.values()
    )


def distribute(
    candidates: Mapping[str, Candidate], budget: int, multiple: int = 1
) -> dict[str, int | None]:
    """Ranks with at most `budget` parameters in all and the least loss; None: the matrix stays.

    Where one step of rank, or the step to the whole matrix, takes most off the loss for a
    parameter, it is taken; gains fall with the rank, so that this is the optimum but for the last
    few parameters. `budget` must be `least_parameters` or more.
    """
    left = budget - least_parameters(candidates, multiple)
    assert left >= 0, f"{-left} parameters too few for rank {multiple} everywhere"
    found: dict[str, int | None] = {
        name: None if one.size.largest_rank < multiple else multiple
        for name, one in candidates.items()
    }
    queue = [
        step
        for name, one in candidates.items()
        if (step := _best_step(name, one, found[name], left, multiple))
    ]
    heapq.heapify(queue)
    while queue:
        step = heapq.heappop(queue)
        room = left
        if step.cost <= left:
            found[step.name] = step.rank
            left = room = left - step.cost
        else:  # a smaller step of the same matrix may still fit
            room = min(left, step.cost - 1)
        following = _best_step(step.name, candidates[step.name], found[step.name], room, multiple)
        if following is not None:
            heapq.heappush(queue, following)
    return found


class _Step(NamedTuple):
    """What a matrix could have more; the heap gives the greatest gain per parameter first."""

    less: float  # loss per parameter: the gain with its sign turned
    name: str
    cost: int
    rank: int | None


def _best_step(
    name: str, one: Candidate, rank: int | None, room: int, multiple: int
) -> _Step | None:
    """The better one of the next rank and the whole matrix, of those with room for their cost."""
    if rank is None:
        return None
    size, more = one.size, rank + multiple
    rest = size.parameters - size.factored(rank)
    steps = [_Step(-math.fsum(one.gains[rank:]) / rest, name, rest, None)]
    if more <= size.largest_rank:
        cost = size.factored(multiple)
        steps.append(_Step(-math.fsum(one.gains[rank:more]) / cost, name, cost, more))
    fitting = [step for step in steps if step.cost <= room]
    return min(fitting, key=lambda step: step.less) if fitting else None
