"""How many components each matrix keeps: numbers in, numbers out."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Size:
    """Of a matrix. Each row is stored in whole tiles of `tile` inputs, and counts so."""

    rows: int
    depth: int
    tile: int = 1

    @property
    def parameters(self) -> int:
        """As it is."""
        return self.rows * self._stored(self.depth)

    def factored(self, rank: int) -> int:
        """Parameters of two factors."""
        return rank * self._stored(self.depth) + self.rows * self._stored(rank)

    @property
    def largest_rank(self) -> int:
        """The largest rank with fewer parameters than the matrix; 0 if there is none.

        Whole tiles may make more of a matrix than of factors that have more numbers; these would
        take longer, and are not meant.
        """
        numbers = (self.rows * self.depth - 1) // (self.rows + self.depth)
        return min(numbers, self.rank_within(self.parameters - 1))

    def rank_within(self, parameters: int) -> int:
        """The largest rank of factors with at most so many parameters; 0 if there is none."""
        return bisect_right(range(1, self.rows + 1), parameters, key=self.factored)

    def tile_end(self, rank: int) -> int:
        """The largest rank whose outer factor is no larger than that of this one."""
        return self._stored(rank)

    def _stored(self, inputs: int) -> int:
        return -(-inputs // self.tile) * self.tile


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
    return fixed_rank(size, size.rank_within(math.floor(share * size.parameters)), multiple)


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
    few parameters. A step into another tile may be as long as that tile, for the first rank there
    pays for all of them. `budget` must be `least_parameters` or more.
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
    """The best one of the next ranks and the whole matrix, of those with room for their cost."""
    if rank is None:
        return None
    size, more = one.size, rank + multiple
    before = size.factored(rank)
    rest = size.parameters - before
    steps = [_Step(-math.fsum(one.gains[rank:]) / rest, name, rest, None)]
    is_within = more <= size.tile_end(rank)
    last = min(size.largest_rank, more if is_within else size.tile_end(more))
    gain, place = 0.0, rank
    for following in range(more, last + 1, multiple):
        gain += math.fsum(one.gains[place:following])
        place, cost = following, size.factored(following) - before
        steps.append(_Step(-gain / cost, name, cost, following))
    fitting = [step for step in steps if step.cost <= room]
    return min(fitting, key=lambda step: step.less) if fitting else None
