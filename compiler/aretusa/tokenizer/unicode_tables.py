"""Unicode as the `tokenizers` library sees it: classes of characters and canonical composition.

The data file is made from the library itself (tests/compiler/tokenizer/make_unicode_tables.py),
because the library, Python and each other mix several versions of Unicode.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from pathlib import Path


class CharClass(IntEnum):
    """What the patterns need to know about a character."""

    OTHER = 0
    LETTER = 1
    NUMBER = 2
    SPACE = 3
    DIGIT_ONLY = 4  # isolated as a digit, yet not a number of the patterns


@dataclass(frozen=True, slots=True)
class Runs:
    """A value for each code point; `values[i]` holds from `starts[i]` to the next start."""

    starts: tuple[int, ...]
    values: tuple[int, ...]

    def at(self, code: int) -> int:
        """The value of one code point."""
        return self.values[bisect_right(self.starts, code) - 1]


@dataclass(frozen=True, slots=True)
class UnicodeTables:
    """Classes, combining classes and canonical pairs."""

    classes: Runs
    combining: Runs
    decompositions: dict[int, tuple[int, ...]]  # one step: one part, or two
    compositions: dict[tuple[int, int], int]


_CLASS_OF_LETTER = {
    "O": CharClass.OTHER,
    "L": CharClass.LETTER,
    "N": CharClass.NUMBER,
    "S": CharClass.SPACE,
    "D": CharClass.DIGIT_ONLY,
}


@cache
def unicode_tables() -> UnicodeTables:
    """The tables, read from their file once."""
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    text = Path(__file__).with_name("unicode_tables.txt").read_text(encoding="ascii")
    for line in text.splitlines():
        if line.startswith("["):
            words = sections.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            words.extend(line.split())
    decompositions, compositions = _pairs(sections["decomposition"])
    return UnicodeTables(
        classes=_runs(sections["class"], _CLASS_OF_LETTER),
        combining=_runs(sections["combining"], {str(value): value for value in range(256)}),
        decompositions=decompositions,
        compositions=compositions,
    )


@lru_cache(maxsize=8192)  # text repeats its characters
def char_class(char: str) -> CharClass:
    """The class of one character."""
    return CharClass(unicode_tables().classes.at(ord(char)))


def _runs(words: list[str], values: dict[str, CharClass] | dict[str, int]) -> Runs:
    pairs = [word.split("=") for word in words]
    return Runs(
        tuple(int(start, 16) for start, _ in pairs), tuple(int(values[name]) for _, name in pairs)
    )


def _pairs(words: list[str]) -> tuple[dict[int, tuple[int, ...]], dict[tuple[int, int], int]]:
    """Full decompositions -> steps of two, and the pairs that compose again."""
    full: dict[int, tuple[int, ...]] = {}
    composed: dict[tuple[int, ...], int] = {}
    for word in words:
        composes = "=" in word
        name, _, parts_text = word.replace("~", "=").partition("=")
        parts = tuple(int(part, 16) for part in parts_text.split("+"))
        full[int(name, 16)] = parts
        if composes:
            composed[parts] = int(name, 16)
    whole_of = {parts: code for code, parts in full.items()} | composed
    steps = {
        code: (whole_of[parts[:-1]], parts[-1]) if len(parts) > 2 else parts
        for code, parts in full.items()
    }
    pairs = {(steps[whole][0], steps[whole][1]): whole for whole in composed.values()}
    return steps, pairs
