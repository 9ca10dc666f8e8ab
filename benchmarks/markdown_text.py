"""Tables and numbers in Markdown."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


COLUMNS: Final = 110


def paragraph(text: str) -> list[str]:
    """Prose, wrapped, and an empty line."""
    wrapped = textwrap.wrap(text, COLUMNS, break_long_words=False, break_on_hyphens=False)
    return [*wrapped, ""]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table: the first column is text, the others are numbers."""
    rule = ["---", *("---:" for _ in head[1:])]
    return [_row(head), _row(rule), *map(_row, rows), ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def count(value: float) -> str:
    """A whole number with commas."""
    return f"{round(value):,}"


def seconds(values: Sequence[float]) -> str:
    """Least, middle and most of some durations."""
    return spread(values, "{:.2f}")


def spread(values: Sequence[float], form: str) -> str:
    """Least / median / most."""
    ordered = sorted(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return " / ".join(form.format(value) for value in (ordered[0], middle, ordered[-1]))


def mebibytes(size_bytes: float) -> str:
    """Bytes as MiB."""
    return f"{size_bytes / (1 << 20):.1f} MiB"
