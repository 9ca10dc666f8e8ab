"""matches(): which matrices a pattern of a recipe means."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Value = TypeVar("Value")


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern with * and ? means a matrix such as `4.self_attn.k_proj`.

    It may leave out the front of the name: `k_proj`, `self_attn.*` and `4.*` all mean that one.
    """
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[start:]), pattern) for start in range(len(parts)))


def matches_any(patterns: Iterable[str], name: str) -> bool:
    """Whether one of them means the matrix."""
    return any(matches(pattern, name) for pattern in patterns)


def last_match(values: Mapping[str, Value], name: str) -> Value | None:
    """The value of the last pattern that means the matrix: later lines of a recipe win."""
    found = [value for pattern, value in values.items() if matches(pattern, name)]
    return found[-1] if found else None


def without_effect(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """Patterns that mean none of the matrices: most likely a slip."""
    known = list(names)
    return [one for one in patterns if not any(matches(one, name) for name in known)]
