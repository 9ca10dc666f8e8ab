"""Names that came from a file, made safe to show in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_LIMIT_CHARS = 80


def printable(text: str, limit_chars: int = NAME_LIMIT_CHARS) -> str:
    """The text with control, bidi and surrogate characters as '?', cut to a limit."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:limit_chars])
    return shown if len(text) <= limit_chars else f"{shown}..."


def printable_list(names: Iterable[str], limit: int = 5) -> str:
    """The first names in quotes, and how many more there are."""
    every = list(names)
    shown = ", ".join(f"'{printable(name)}'" for name in every[:limit])
    more = len(every) - limit
    return f"{shown} and {more} more" if more > 0 else shown
