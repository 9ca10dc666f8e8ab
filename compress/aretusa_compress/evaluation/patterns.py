"""The answer patterns of the quiz data of the BSD games: alternatives and optional parts.

`a|b` is a or b, `{x}` is x or nothing, `[...]` only groups, a backslash quotes. The manual page
quiz(6) describes the language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MOST_READINGS: Final = 256  # of one pattern; those of the data have fewer


def readings(pattern: str) -> list[str]:
    """All texts that a pattern stands for, the fullest of its first alternative first.

    Raises ValueError if a bracket is not closed.
    """
    parser = _Parser(pattern)
    found = parser.alternatives()
    if parser.position != len(pattern):
        message = f"unmatched bracket in {pattern!r}"
        raise ValueError(message)
    texts = [" ".join(text.split()) for text in found]
    return list(dict.fromkeys(text for text in texts if text))[:_MOST_READINGS]


@dataclass(slots=True)
class _Parser:
    pattern: str
    position: int = 0

    def alternatives(self) -> list[str]:
        found = self.sequence()
        while self._at("|"):
            self.position += 1
            found = found + self.sequence()
        return found

    def sequence(self) -> list[str]:
        found = [""]
        while self.position < len(self.pattern) and not self._at("|", "}", "]"):
            part = self.part()
            found = [before + after for before in found for after in part][:_MOST_READINGS]
        return found

    def part(self) -> list[str]:
        character = self.pattern[self.position]
        self.position += 1
        match character:
            case "{":
                return [*self._closed("}"), ""]
            case "[":
                return self._closed("]")
            case "\\" if self.position < len(self.pattern):
                self.position += 1
                return [self.pattern[self.position - 1]]
            case _:
                return [character]

    def _closed(self, bracket: str) -> list[str]:
        found = self.alternatives()
        if not self._at(bracket):
            message = f"{bracket!r} is missing in {self.pattern!r}"
            raise ValueError(message)
        self.position += 1
        return found

    def _at(self, *characters: str) -> bool:
        return self.position < len(self.pattern) and self.pattern[self.position] in characters
