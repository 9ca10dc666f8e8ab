"""Attention over the cache on the cluster: a phase per tile of keys or values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.cost.attention_steps import LANES, AttentionShape, Part, Pass, Step, passes, steps
from aretusa.cost.calls import KernelCall, Phase, Work
from aretusa.cost.shares import ceil_div, tree_work
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AttentionShape", "attention_call"]

COLUMNS: Final = 4  # of the result that a core takes at once
KEYS: Final = 4  # that are multiplied at once
ITEM_POSITIONS: Final = 20  # that take as long as what is done once for a part of a row
WORD: Final = 4  # elements of a head that are multiplied at once


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
    yield _phase("start", [_givers("call", core, shape, every[0][1]) for core in team])
    for (work, step), next_step in zip(every, following, strict=True):
        has_encode = step.part is Part.VALUE_SCALES and step.ends_part
        unit = "cut_step" if has_encode else "step"  # the rest of it comes with the codes
        shares = [_givers(unit, core, shape, next_step) for core in team]
        for core, share in enumerate(shares):
            share.update(work.share(step, core))
        yield _phase(step.part.value, shares)
        if has_encode:
            yield _phase("encode", [Counter(work.encode(core)) for core in team])


def _givers(unit: str, core: int, shape: AttentionShape, step: Step | None) -> Counter[str]:
    """One `unit`, in which core 0 gives the copies of the step to come."""
    copies = step.copies(shape) if core == 0 and step is not None else 0
    return Counter({unit: 1, "first_core": int(core == 0), "copy": copies})


def _phase(name: str, shares: list[Counter[str]]) -> Phase:
    whole: Counter[str] = Counter()
    for share in shares:
        whole.update(share)
    return Phase(name=name, busiest=tuple(shares), all_cores=whole)


def parts_of_row(rows: int, cores: int, positions: int) -> int:
    """How many cores share a row of so many positions, so that all have least to do."""
    if rows >= 4 * cores:
        return 1
    return min(
        (1, 2, 4, 8),
        key=lambda parts: ceil_div(rows * parts, cores) * (positions // parts + ITEM_POSITIONS),
    )


@dataclass(frozen=True, slots=True)
class _PassWork:
    """What the cores do in the steps of a pass. Core c has the items c, c + cores, ..."""

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
        total = self._rows(step.heads)
        for token, part, parts, times in self._items(step.heads, core):
            seen = _part_of(self._in_tile(token, step), part, parts)
            total.update(_times(self.score(seen), times))
        return total

    def score(self, seen: int) -> Work:
        """Scores of a part of a row."""
        dim = self.shape.dim
        return _score(dim, seen) if self.shape.key_bits == 8 else _score_4bit(dim, seen)

    def value_scales(self, step: Step, core: int) -> Work:
        """Weights with the first tile, and the tile's part of their products with the scales."""
        total = self._rows(step.heads)
        for token, part, parts, times in self._items(step.heads, core):
            seen = _part_of(self._in_tile(token, step), part, parts)
            total.update(_times({"item": 1, "position": seen}, times))
            if step.position > 0:
                continue
            mine = _part_of(self._sees(token), part, parts)
            passes, sums = tree_work(mine, LANES // parts)
            weighing = {"weigh_item": 1, "weigh_position": mine, "pass": passes, "sum": sums}
            total.update(_times(weighing, times))
        return total

    def encode(self, core: int) -> Work:
        """Codes of all positions, and with the first part of a row its factor."""
        total = self._rows(self.one.heads)
        for token, part, parts, times in self._items(self.one.heads, core):
            seen = _part_of(self._sees(token), part, parts)
            total.update(_times({"item": 1, "position": seen, "factor": int(part == 0)}, times))
        return {"call": 1, **total}

    def values(self, step: Step, core: int) -> Work:
        """Groups of four columns are dealt round robin; the last one of a row may be narrower."""
        total = self._rows(step.heads)
        groups = ceil_div(self.shape.dim, COLUMNS)
        found = Counter(
            (item // groups // self.shape.repeat % self.one.tokens, item % groups == groups - 1)
            for item in range(core, step.heads * self._head_rows * groups, self.cores)
        )
        for (token, is_last), times in found.items():
            width = self.shape.dim - (groups - 1) * COLUMNS if is_last else COLUMNS
            work = _columns(width, self._sees(token), step, self.shape.value_bits)
            total.update(_times(work, times))
        return total

    @property
    def _head_rows(self) -> int:
        return self.one.tokens * self.shape.repeat

    def _rows(self, heads: int) -> Counter[str]:
        """A core passes about all rows on its way."""
        return Counter({"row": heads * self._head_rows})

    def _items(self, heads: int, core: int) -> Iterator[tuple[int, int, int, int]]:
        """Of a core: token, part of the row, parts of a row, how often."""
        rows = heads * self._head_rows
        parts = parts_of_row(rows, self.cores, self.one.visible)
        found = Counter(
            (item // parts // self.shape.repeat % self.one.tokens, item % parts)
            for item in range(core, rows * parts, self.cores)
        )
        for (token, part), times in found.items():
            yield token, part, parts, times

    def _sees(self, token: int) -> int:
        """Positions that a token of the pass sees."""
        return self.shape.position + self.one.token + token + 1

    def _in_tile(self, token: int, step: Step) -> int:
        return max(0, min(self._sees(token), step.end) - step.position)


def _part_of(seen: int, part: int, parts: int) -> int:
    return max(0, ceil_div(seen - part, parts))


def _times(work: Work, times: int) -> Work:
    return {unit: count * times for unit, count in work.items()}


def _score(dim: int, seen: int) -> Work:
    """Heads of whole words have loops of their own, and heads of one word."""
    if dim % WORD:
        return {"item": 1, "odd": seen, "odd_column": seen * dim}
    if dim == WORD:
        return {"item": 1, "single": seen}
    fours, ones = divmod(seen, KEYS)
    return {
        "item": 1,
        "position": seen,
        "four": fours,
        "four_word": fours * (dim // WORD),
        "one": ones,
        "one_word": ones * (dim // WORD),
    }


def _score_4bit(dim: int, seen: int) -> Work:
    """Words of eight elements, and half a word; other heads go element by element."""
    if dim % WORD:
        once = {"item_4bit": 1, "item_column_4bit": dim}
        return {**once, "odd_4bit": seen, "odd_column_4bit": seen * dim}
    fours, ones = divmod(seen, KEYS)
    words, halves = divmod(dim, 2 * WORD)
    return {
        "item_4bit": 1,
        "item_word_4bit": dim // WORD,
        "position_4bit": seen,
        "four_4bit": fours,
        "four_word_4bit": fours * words,
        "four_half_4bit": fours * (halves // WORD),
        "one_4bit": ones,
        "one_word_4bit": ones * words,
        "one_half_4bit": ones * (halves // WORD),
    }


def _columns(width: int, seen: int, step: Step, bits: int) -> Work:
    """Sums start with a row's first tile and become results with its last one."""
    here = min(seen, step.end) - step.position
    if here <= 0:
        return {"unseen": 1}
    starts, ends = int(step.position == 0), int(seen <= step.end)
    kind = "" if bits == 8 else "_4bit"
    if width == COLUMNS:
        return {f"group{kind}": 1, f"position{kind}": here, "start": starts, "result": ends}
    return {
        f"narrow{kind}": 1,
        "narrow_column": width,
        f"narrow_position{kind}": width * here,
        "narrow_start": width * starts,
        "narrow_result": ends,
        "narrow_result_column": width * ends,
    }
