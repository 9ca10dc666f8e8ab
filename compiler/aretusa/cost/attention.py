"""Attention over the cache on the cluster: four phases, with a barrier between two of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from aretusa.cost.calls import KernelCall, Phase, Work
from aretusa.cost.kernels import LANES, ceil_div, halvings
from aretusa.target.description import MemoryId

SCORES_BYTES: Final = 32 << 10  # how many rows of scores go through the phases together
COLUMNS: Final = 8  # of the result that a core takes at once
KEYS: Final = 4  # that are multiplied at once
UNROLLED: Final = 4  # columns of a step of that loop

RowWork = Callable[[int], Work]  # of one lane in one row, by the positions that it owns


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionShape:
    """struct art_attention_shape: `position` is that of the first token."""

    tokens: int
    heads: int
    kv_heads: int
    dim: int
    position: int
    context: int

    @property
    def repeat(self) -> int:
        """Query heads per key-value head."""
        return self.heads // self.kv_heads

    def passes(self) -> Iterator[list[int]]:
        """The positions that each row of scores sees, pass by pass."""
        room = SCORES_BYTES // (self.repeat * self.context * 4)
        items = self.tokens * self.kv_heads
        at_once = min(max(room, 1), items)
        for first in range(0, items, at_once):
            last = min(first + at_once, items)
            yield [
                self.position + item // self.kv_heads + 1
                for item in range(first, last)
                for _ in range(self.repeat)
            ]


def attention_call(
    cores: int,
    shape: AttentionShape,
    *,
    query: MemoryId = MemoryId.L1,
    cache: MemoryId = MemoryId.L1,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_attention; `cache` is the memory that keys and values are read from.

    All positions count, though those whose weight rounds to zero are skipped when values are mixed.
    """
    phases = [
        phase
        for rows in shape.passes()
        for phase in (
            _lanes("score", cores, rows, lambda seen: _score(shape.dim, seen)),
            _lanes("weigh", cores, rows, _weigh),
            _lanes("encode", cores, rows, lambda seen: {"row": 1, "position": seen}),
            _mix(cores, rows, shape.dim),
        )
    ]
    places = {"query": query, "cache": cache, "out": out}
    return KernelCall(kernel="attention", phases=tuple(phases), places=places)


def _lanes(name: str, cores: int, rows: list[int], work: RowWork) -> Phase:
    """Core c owns the lanes c, c + cores, ... in every row."""
    return Phase(
        name=name,
        busiest=tuple(_lane_work(rows, range(core, LANES, cores), work) for core in range(cores)),
        all_cores=_lane_work(rows, range(LANES), work),
    )


def _lane_work(rows: list[int], lanes: range, work: RowWork) -> Work:
    total: Counter[str] = Counter(call=1)
    for seen, times in Counter(rows).items():
        for lane in lanes:
            total.update(_times(work(ceil_div(seen - lane, LANES)), times))
    return total


def _times(work: Work, times: int) -> Counter[str]:
    return Counter({unit: count * times for unit, count in work.items()})


def _score(dim: int, seen: int) -> Work:
    fours, ones = divmod(seen, KEYS)
    return {
        "row": 1,
        "position": seen,
        "four": fours,
        "four_step": fours * (dim // UNROLLED),
        "four_rest": fours * (dim % UNROLLED),
        "one": ones,
        "one_column": ones * dim,
    }


def _weigh(seen: int) -> Work:
    return {"row": 1, "position": seen, "halving": halvings(seen)}


def _mix(cores: int, rows: list[int], dim: int) -> Phase:
    """Steps of eight columns are dealt round robin; the last one of a row may be narrower."""
    steps = ceil_div(dim, COLUMNS)
    shares: list[Counter[str]] = [Counter(call=1) for _ in range(cores)]
    for at in range(len(rows) * steps):
        width = min(COLUMNS, dim - at % steps * COLUMNS)
        shares[at % cores].update(_columns(width, rows[at // steps]))
    whole: Counter[str] = Counter()
    for share in shares:
        whole.update(share)
    return Phase(name="mix", busiest=tuple(shares), all_cores=whole)


def _columns(width: int, seen: int) -> Work:
    if width == COLUMNS:
        return {"step": 1, "position": seen}
    return {"narrow_step": 1, "narrow_column": width, "narrow_position": width * seen}
