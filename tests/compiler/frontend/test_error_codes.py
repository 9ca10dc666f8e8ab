"""Every code that the frontend raises is in the table."""

from __future__ import annotations

import re
from pathlib import Path

import aretusa
from aretusa.error_codes import CODES

PACKAGE = Path(aretusa.__file__).parent
CODE = re.compile(r'"([EW]\d{4})"')


def test_every_code_of_the_frontend_has_a_meaning() -> None:
    used = {
        code
        for module in (PACKAGE / "frontend").glob("*.py")
        for code in CODE.findall(module.read_text())
    }
    assert used
    assert used <= CODES.keys()


def test_meanings_are_one_sentence_with_a_fix() -> None:
    for code, meaning in CODES.items():
        assert CODE.fullmatch(f'"{code}"')
        assert meaning.endswith(".")
        assert "\n" not in meaning
