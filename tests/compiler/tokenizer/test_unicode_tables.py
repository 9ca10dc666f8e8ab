"""The tables say of every code point what the library says."""

from __future__ import annotations

from pathlib import Path

import make_unicode_tables as maker
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from aretusa.tokenizer import unicode_tables
from aretusa.tokenizer.compose import compose_text
from aretusa.tokenizer.unicode_tables import CharClass

NFC = normalizers.NFC()
MARKS = st.one_of(
    st.characters(min_codepoint=0x300, max_codepoint=0x36F),
    st.sampled_from("\u0327\u0345\u05b0\u05bc\u093c\u0338\u3099\u09be\u0b56\u1dd7\u20d2\u0f71"),
)
LETTERS = st.one_of(
    st.sampled_from("aeiouAEIOU<>=\u03b1\u1112\u1161\u11a8\uac00\u304b\u09c7\u0b47\u0f71\u0f72"),
    st.characters(exclude_categories=["Cs"]),
)


@pytest.mark.slow
def test_the_file_is_what_the_library_says(tmp_path: Path) -> None:
    maker.main(tmp_path / "tables.txt")
    ours = Path(unicode_tables.__file__).with_name("unicode_tables.txt")
    assert (tmp_path / "tables.txt").read_text() == ours.read_text(), "run make_unicode_tables.py"


def test_everything_that_decomposes_composes_as_in_the_library() -> None:
    codes = [*unicode_tables.unicode_tables().decompositions, *maker.HANGUL]
    text = "".join(f"{chr(code)}\u0323\u0301" for code in codes)
    assert compose_text(text) == NFC.normalize_str(text)


def test_every_pair_that_composes_does() -> None:
    for first, second in unicode_tables.unicode_tables().compositions:
        text = chr(first) + chr(second)
        assert compose_text(text) == NFC.normalize_str(text), repr(text)


@given(st.lists(st.one_of(LETTERS, MARKS, MARKS)).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_text_composes_as_in_the_library(text: str) -> None:
    assert compose_text(text) == NFC.normalize_str(text)


@pytest.mark.parametrize(
    ("char", "expected"),
    [
        ("a", CharClass.LETTER),
        ("\u00bd", CharClass.NUMBER),
        ("\u2028", CharClass.SPACE),
        ("\u0301", CharClass.OTHER),
        ("\U00011de0", CharClass.DIGIT_ONLY),
    ],
)
def test_classes(char: str, expected: CharClass) -> None:
    assert unicode_tables.char_class(char) is expected
