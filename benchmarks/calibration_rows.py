"""Row: a published figure beside ours."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Use = Literal["fit", "same", "check", "context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    `use` says what it is to us: a constant was chosen by it (fit); it comes from a model whose
    formulas are ours, so that it only checks how we wrote them down (same); it is independent
    (check); or it is shown without being comparable (context), for the reason in `note`.
    """

    what: str
    published: float
    ours: float
    use: Use = "check"
    note: str = ""

    @property
    def error(self) -> float:
        """Ours against the published one: 0.1 is 10 % too high."""
        return self.ours / self.published - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows of one source, with one unit."""

    title: str
    source: str
    unit: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Absolute errors of independent rows."""

    count: int
    median: float
    worst: float
    worst_row: str


def check_errors(groups: Iterable[Group]) -> Errors:
    """Of all check rows."""
    rows = [row for group in groups for row in group.rows if row.use == "check"]
    worst = max(rows, key=lambda row: abs(row.error))
    return Errors(
        count=len(rows),
        median=median(abs(row.error) for row in rows),
        worst=abs(worst.error),
        worst_row=worst.what,
    )
