"""Attention over the cache on the cluster: a phase per tile of keys or values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.cost.attention_steps import LANES, AttentionShape, Part, Pass, Step, passes, steps
from aretusa.cost.calls import KernelCall, Phase, Work
from aretusa.cost.kernels import ceil_div, halvings
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AttentionShape", "attention_call"]

COLUMNS: Final = 8  # of the result that a core takes at once
KEYS: Final = 4  # that are multiplied at once
UNROLLED: Final = 4  # columns of a step of that loop


def attention_call(
    cores: int,
    shape: AttentionShape,
    *,
    query: MemoryId = MemoryId.L1,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_attention, without what its copies take: those of a step are given in the step before.

    All positions count, though those whose weight rounds to zero are skipped when values are mixed.
    """
    places = {"query": query, "out": out}
    return KernelCall(kernel="attention", phases=tuple(_phases(cores, shape)), places=places)


def _phases(cores: int, shape: AttentionShape) -> Iterator[Phase]:
    every = [
        (_PassWork(shape, one, cores), step) for one in passes(shape) for step in steps(shape, one)
    ]
    following = [*(step for _, step in every[1:]), None]
    team = range(cores)
    yield _phase("start", [_givers("call", core, every[0][1]) for core in team])
    for (work, step), next_step in zip(every, following, strict=True):
        has_encode = step.part is Part.VALUE_SCALES and step.ends_part
        unit = "cut_step" if has_encode else "step"  # the rest of it comes with the codes
        shares = [_givers(unit, core, next_step) for core in team]
        for core, share in enumerate(shares):
            share.update(work.share(step, core))
        yield _phase(step.part.value, shares)
        if has_encode:
            yield _phase("encode", [Counter(work.encode(core)) for core in team])


def _givers(unit: str, core: int, step: Step | None) -> Counter[str]:
    """One `unit`, in which core 0 gives the copies of the step to come."""
    return Counter({unit: 1, "first_core": int(core == 0), "copy": _copies(core, step)})


def _copies(core: int, step: Step | None) -> int:
    """Core 0 gives the copies of the step to come."""
    return step.copies if core == 0 and step is not None else 0


def _phase(name: str, shares: list[Counter[str]]) -> Phase:
    whole: Counter[str] = Counter()
    for share in shares:
        whole.update(share)
    return Phase(name=name, busiest=tuple(shares), all_cores=whole)


@dataclass(frozen=True, slots=True)
class _PassWork:
    """What the cores do in the steps of a pass. Core c owns the lanes c, c + cores, ..."""

    shape: AttentionShape
    one: Pass
    cores: int

    def share(self, step: Step, core: int) -> Work:
        """Of one core in one step."""
        match step.part:
            case Part.KEYS:
                return self.keys(step, core)
            case Part.VALUE_SCALES:
                return self.value_scales(step, core)
            case Part.VALUES:
                return self.values(step, core)

    def keys(self, step: Step, core: int) -> Work:
        """Scores."""
        total: Counter[str] = Counter()
        for lane in self._lanes(core):
            total.update(head=1)
            for seen in self._positions(step):
                score = _score(self.shape.dim, ceil_div(seen - lane, LANES))
                total.update(_times(score, self.shape.repeat))
        return _times(total, step.heads)

    def value_scales(self, step: Step, core: int) -> Work:
        """Weights with the first tile, and the tile's part of their products with the scales."""
        total: Counter[str] = Counter()
        for lane in self._lanes(core):
            total.update(head=1)
            for seen in self._positions(step):
                total.update(self._rows("", ceil_div(seen - lane, LANES)))
            if step.position > 0:
                continue
            total.update(weigh_head=1)
            for seen in self._positions():
                mine = ceil_div(seen - lane, LANES)
                total.update(self._rows("weigh_", mine))
                total.update(halving=self.shape.repeat * halvings(mine))
        return _times(total, step.heads)

    def encode(self, core: int) -> Work:
        """Codes of all positions, and with lane 0 the factors of the rows."""
        total: Counter[str] = Counter()
        for lane in self._lanes(core):
            total.update(head=1)
            for seen in self._positions():
                total.update(self._rows("", ceil_div(seen - lane, LANES)))
                total.update(factor=self.shape.repeat * int(lane == 0))
        return {"call": 1, **_times(total, self.one.heads)}

    def values(self, step: Step, core: int) -> Work:
        """Groups of eight columns are dealt round robin; the last one of a row may be narrower."""
        total: Counter[str] = Counter()
        groups = ceil_div(self.shape.dim, COLUMNS)
        positions = self._positions()
        rows = len(positions) * self.shape.repeat  # of a kv head
        first = step.head * rows * groups
        for at in range(first + core, first + step.heads * rows * groups, self.cores):
            seen = positions[at // groups % rows // self.shape.repeat]
            width = min(COLUMNS, self.shape.dim - at % groups * COLUMNS)
            total.update(_columns(width, seen, step))
        return total

    def _lanes(self, core: int) -> range:
        return range(core, LANES, self.cores)

    def _positions(self, step: Step | None = None) -> list[int]:
        """What each token sees, of a step's tile or altogether."""
        first = self.shape.position + self.one.token + 1
        seen = range(first, first + self.one.tokens)
        if step is None:
            return list(seen)
        return [max(0, min(each, step.end) - step.position) for each in seen]

    def _rows(self, prefix: str, positions: int) -> Work:
        """The rows of a token, with so many positions of a lane each."""
        rows = self.shape.repeat
        return {f"{prefix}row": rows, f"{prefix}position": rows * positions}


def _times(work: Work, times: int) -> Work:
    return {unit: count * times for unit, count in work.items()}


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


def _columns(width: int, seen: int, step: Step) -> Work:
    """Sums start with a row's first tile and become results with its last one."""
    here = min(seen, step.end) - step.position
    if here <= 0:
        return {"unseen": 1}
    starts, ends = int(step.position == 0), int(seen <= step.end)
    if width == COLUMNS:
        return {"group": 1, "position": here, "start": starts, "result": ends}
    return {
        "narrow": 1,
        "narrow_column": width,
        "narrow_position": width * here,
        "narrow_start": width * starts,
        "narrow_result": ends,
        "narrow_result_column": width * ends,
    }
