"""Write unicode_tables.txt: what the `tokenizers` library thinks of every code point.

The library mixes Unicode versions (16 in its regex engine, 17 in `char::is_numeric`, an old one in
NFC), and Python's own `unicodedata` is of yet another. The tables are therefore found by asking
the library. `python make_unicode_tables.py PATH`; test_unicode_tables.py compares all of
0..0x10FFFF again.
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic, not by table
NFC, NFD = normalizers.NFC(), normalizers.NFD()


def matched_by(pattern: str) -> set[int]:
    """Code points that match a regular expression of one character."""
    splitter = pre_tokenizers.Split(Regex(pattern), "removed")
    found: set[int] = set()
    for first in range(0, len(CODE_POINTS), 4096):
        block = CODE_POINTS[first : first + 4096]
        kept: set[int] = set()
        for _, (start, end) in splitter.pre_tokenize_str("".join(map(chr, block))):
            kept.update(range(start, end))
        found.update(c for place, c in enumerate(block) if place not in kept)
    return found


def split_as_digits() -> set[int]:
    """Code points that the Digits pre-tokeniser isolates."""
    splitter = pre_tokenizers.Digits(individual_digits=True)
    found: set[int] = set()
    for first in range(0, len(CODE_POINTS), 2048):
        block = CODE_POINTS[first : first + 2048]
        text = "a" + "a".join(map(chr, block)) + "a"
        pieces = (piece for piece, _ in splitter.pre_tokenize_str(text))
        found.update(ord(piece) for piece in pieces if len(piece) == 1 and piece != "a")
    return found


def class_of_each() -> dict[int, str]:
    """One letter per code point: L, N, S, D (a digit for Digits only) or O."""
    letters, numbers, spaces = (matched_by(p) for p in (r"\p{L}", r"\p{N}", r"\s"))
    digits = split_as_digits()
    assert numbers <= digits, "the table has no class for a number that Digits leaves alone"
    sets = (("L", letters), ("N", numbers), ("S", spaces), ("D", digits - numbers))
    return {c: next((name for name, members in sets if c in members), "O") for c in CODE_POINTS}


def combining_classes() -> dict[int, int]:
    """Canonical combining class of each mark that the library reorders."""
    classes: dict[int, int] = {}
    for c in CODE_POINTS:
        wanted = unicodedata.combining(chr(c))
        if not wanted:
            continue
        low, high = "\u0334", "\u0345"  # classes 1 and 240, the ends of the scale
        moves = NFD.normalize_str("a" + chr(c) + low) == "a" + low + chr(c)
        moved = NFD.normalize_str("a" + high + chr(c)) == "a" + chr(c) + high
        if moves or moved:
            classes[c] = wanted
    return classes


def decompositions() -> dict[int, tuple[bool, list[int]]]:
    """Full canonical decomposition, and whether NFC puts it together again."""
    found = {}
    for c in CODE_POINTS:
        parts = NFD.normalize_str(chr(c))
        if c not in HANGUL and parts != chr(c):
            composes = len(parts) > 1 and NFC.normalize_str(parts) == chr(c)
            found[c] = (composes, [ord(part) for part in parts])
    return found


def starts(values: dict[int, str]) -> list[str]:
    """`start=value` wherever the value changes; surrogates continue what is before them."""
    words, before = [], ""
    for c in CODE_POINTS:
        if values[c] != before:
            before = values[c]
            words.append(f"{c:x}={before}")
    return words


def wrapped(words: list[str]) -> list[str]:
    """The words in lines of at most 100 characters."""
    lines, line = [], ""
    for word in words:
        if line and len(line) + 1 + len(word) > 100:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return [*lines, line]


def main(path: Path) -> None:
    """Write the three tables."""
    marks = combining_classes()
    composed = decompositions()
    lines = [
        "# Made by tests/compiler/tokenizer/make_unicode_tables.py from tokenizers 0.23.3.",
        "# class: L letter, N number, S space, D digit of Digits only, O other; START=CLASS.",
        "[class]",
        *wrapped(starts(class_of_each())),
        "# combining: START=CANONICAL COMBINING CLASS.",
        "[combining]",
        *wrapped(starts({c: str(marks.get(c, 0)) for c in CODE_POINTS})),
        "# decomposition: CODE=PARTS, or CODE~PARTS if NFC leaves the parts apart.",
        "[decomposition]",
        *wrapped(
            [
                f"{c:x}{'=' if composes else '~'}" + "+".join(f"{part:x}" for part in parts)
                for c, (composes, parts) in composed.items()
            ]
        ),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
