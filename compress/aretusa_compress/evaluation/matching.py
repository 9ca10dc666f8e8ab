"""Whether a generated text holds an accepted answer: three tiers, strictest first."""

from __future__ import annotations

import string
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_NO_PUNCTUATION: Final = str.maketrans("", "", string.punctuation + "‘’“”´–—…")  # noqa: RUF001
_NEEDED_SHARE: Final = 0.8  # of an answer's words


class Match(StrEnum):
    """The tier in which an answer was found."""

    EXACT = "exact"
    SUBSTRING = "substring"
    WORDS = "words"
    NONE = "none"


def normalise(text: str) -> str:
    """Lower case, without punctuation, single spaces."""
    return " ".join(text.lower().translate(_NO_PUNCTUATION).split())


def match_answer(given: str, accepted: Iterable[str]) -> Match:
    """The best tier over all accepted answers; an answer of punctuation alone never matches."""
    said = normalise(given)
    wanted = [text for text in map(normalise, accepted) if text]
    if said in wanted:
        return Match.EXACT
    if any(text in said for text in wanted):
        return Match.SUBSTRING
    words = set(said.split())
    if any(_share(text.split(), words) >= _NEEDED_SHARE for text in wanted):
        return Match.WORDS
    return Match.NONE


def _share(wanted: list[str], said: set[str]) -> float:
    return sum(word in said for word in wanted) / len(wanted)
