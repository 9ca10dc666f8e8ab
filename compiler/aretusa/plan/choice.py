"""Items that need a decision, and the options of each: engine, home and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aretusa.neureka.linear import Engine
    from aretusa.target.description import MemoryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Cycles of the cluster clock that one request costs: work on chip, and the off-chip link.

    The two run beside each other, in prefill and in decode each by itself.
    """

    prefill_work: int = 0
    decode_work: int = 0
    prefill_link: int = 0
    decode_link: int = 0

    def __add__(self, other: Load) -> Load:
        return Load(
            prefill_work=self.prefill_work + other.prefill_work,
            decode_work=self.decode_work + other.decode_work,
            prefill_link=self.prefill_link + other.prefill_link,
            decode_link=self.decode_link + other.decode_link,
        )

    def times(self, count: int) -> Load:
        """So many times this."""
        return Load(
            prefill_work=count * self.prefill_work,
            decode_work=count * self.decode_work,
            prefill_link=count * self.prefill_link,
            decode_link=count * self.decode_link,
        )

    @property
    def cycles(self) -> int:
        """The whole request: the longer of work and link, twice."""
        prefill = max(self.prefill_work, self.prefill_link)
        return prefill + max(self.decode_work, self.decode_link)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to store and run an item.

    `homes` names the memory of each of its contents, `usage` the bytes that it takes of each
    memory, aligned. Options with one `engine` can be mixed among equal layers.
    """

    engine: Engine | None
    engine_rows: int
    homes: tuple[tuple[str, MemoryId], ...]
    usage: tuple[tuple[MemoryId, int], ...]
    load: Load
    is_paged: bool = False
    is_packed: bool = False  # without zero columns
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A weight, a table, a cache: `options` stand in the order of preference among equals.

    `homes` of its options are relative to `name`: "" is the content of that name, other keys are
    suffixes of it.
    """

    name: str
    role: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """All items, the bytes that are free, and what every plan costs."""

    items: tuple[Item, ...]
    free_bytes: Mapping[MemoryId, int]
    page_ring: tuple[MemoryId, int]  # taken when any option is paged
    fixed: Load

    def load(self, chosen: Sequence[int]) -> Load:
        """The whole request under a choice: the number of an option per item."""
        total = self.fixed
        for item, index in zip(self.items, chosen, strict=True):
            total += item.options[index].load
        return total

    def usage(self, chosen: Sequence[int]) -> dict[MemoryId, int]:
        """Bytes that a choice takes of each memory."""
        used = dict.fromkeys(self.free_bytes, 0)
        is_paged = False
        for item, index in zip(self.items, chosen, strict=True):
            option = item.options[index]
            is_paged |= option.is_paged
            for memory, size in option.usage:
                used[memory] += size
        if is_paged:
            memory, size = self.page_ring
            used[memory] += size
        return used

    def fits(self, chosen: Sequence[int]) -> bool:
        """Whether a choice respects every memory."""
        return all(size <= self.free_bytes[memory] for memory, size in self.usage(chosen).items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A choice, the best objective that can be proven possible, and how far the proof went."""

    chosen: tuple[int, ...]
    objective_cycles: int
    bound_cycles: int
    status: str
    first_fit_cycles: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """Share by which a better plan is not excluded."""
        if self.objective_cycles == 0:
            return 0.0
        return (self.objective_cycles - self.bound_cycles) / self.objective_cycles
