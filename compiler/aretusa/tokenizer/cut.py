"""Cut prepared text into the words that are merged on their own.

One scanner does what the regular expressions of GPT-2, Llama 3 and Qwen 2 do. They differ in
three ways only: contractions in any case, any one character before letters, and how many digits
stay together (then line ends are cut off as well).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.tokenizer.model import SPACE_MARK, Cutting, Pattern
from aretusa.tokenizer.unicode_tables import CharClass, char_class

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_DIGITS = {Pattern.LLAMA3: 3, Pattern.QWEN2: 1}
_LONG_S = "\u017f"  # folds to "s", and the regex engine of the library knows it


def cut(text: str, cutting: Cutting) -> Iterator[str]:
    """The words of a prepared text, in order; together they are the text."""
    for part in _digits_apart(text) if cutting.isolates_digits else [text]:
        if cutting.pattern is not Pattern.NONE:
            yield from _scan(part, cutting.pattern)
        elif cutting.splits_at_spaces:
            yield from _split_before_marks(part)
        elif part:
            yield part


def _digits_apart(text: str) -> Iterator[str]:
    """Each digit on its own, and what stands between."""
    start = 0
    for place, char in enumerate(text):
        if char_class(char) in {CharClass.NUMBER, CharClass.DIGIT_ONLY}:
            if place > start:
                yield text[start:place]
            yield char
            start = place + 1
    if start < len(text):
        yield text[start:]


def _split_before_marks(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find(SPACE_MARK, start + 1)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end


def _scan(text: str, pattern: Pattern) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = _word_end(text, start, pattern)
        yield text[start:end]
        start = end


def _word_end(text: str, start: int, pattern: Pattern) -> int:
    """Where the word that begins at `start` ends; each branch is one alternative."""
    is_gpt2 = pattern is Pattern.GPT2
    length = _contraction_length(text[start : start + 3], folds_case=not is_gpt2)
    if length:
        return start + length
    first = _class_at(text, start)
    begin = start
    if text[start] == " " or (not is_gpt2 and _may_precede_letters(text[start], first)):
        begin = start + 1
    after = _class_at(text, begin)
    if after is CharClass.LETTER:
        return _run_end(text, begin, CharClass.LETTER)
    if is_gpt2 and after is CharClass.NUMBER:
        return _run_end(text, begin, CharClass.NUMBER)
    if first is CharClass.NUMBER:
        most = start + _MAX_DIGITS[pattern]
        return min(most, _run_end(text[:most], start, CharClass.NUMBER))
    if first is CharClass.SPACE and not (text[start] == " " and after is CharClass.OTHER):
        return _spaces_end(text, start, cuts_line_ends=not is_gpt2)
    end = _run_end(text, begin if text[start] == " " else start, CharClass.OTHER)
    while not is_gpt2 and end < len(text) and text[end] in "\r\n":
        end += 1
    return end


def _contraction_length(text: str, *, folds_case: bool) -> int:
    """Characters of 's 't 're 've 'm 'll 'd at the start of the text, or 0."""
    if not text.startswith("'"):
        return 0
    rest = text[1:].replace(_LONG_S, "s").lower() if folds_case else text[1:]
    if rest[:2] in {"re", "ve", "ll"}:
        return 3
    return 2 if rest[:1] and rest[0] in "stmd" else 0


def _may_precede_letters(char: str, own_class: CharClass | None) -> bool:
    return char not in "\r\n" and own_class not in {CharClass.LETTER, CharClass.NUMBER}


def _class_at(text: str, place: int) -> CharClass | None:
    """Class of a character, None past the end; to the patterns DIGIT_ONLY is OTHER."""
    if place >= len(text):
        return None
    found = char_class(text[place])
    return CharClass.OTHER if found is CharClass.DIGIT_ONLY else found


def _run_end(text: str, start: int, wanted: CharClass) -> int:
    end = start
    while _class_at(text, end) is wanted:
        end += 1
    return end


def _spaces_end(text: str, start: int, *, cuts_line_ends: bool) -> int:
    """A run of spaces ends after its last line end, or before its last space if text follows."""
    end = _run_end(text, start, CharClass.SPACE)
    if cuts_line_ends:
        line_end = max(text.rfind("\r", start, end), text.rfind("\n", start, end))
        if line_end >= 0:
            return line_end + 1
    return end if end == len(text) or end == start + 1 else end - 1
