"""CodeCache: which code the cores find in their cache, and which comes from L2."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aretusa.target.description import Core

Code = tuple[str, str]  # a kernel and its phase
Cached = tuple[tuple[Code, float], ...]  # with the lines that are there, longest ago first


class CodeCache:
    """Code stays until what was run since fills the cache; then it is fetched anew, as a whole."""

    def __init__(self, core: Core) -> None:
        """Nothing is there."""
        self.core = core
        self._lines: dict[Code, float] = {}  # longest ago first

    def run(self, codes: Iterable[tuple[Code, float]]) -> int:
        """Cycles until the lines of each code are there."""
        return ceil(sum(self._missing(code, lines) for code, lines in codes))

    def _missing(self, code: Code, lines: float) -> float:
        """A code that does more than last time brings the rest."""
        known = self._lines.pop(code, 0.0)
        self._lines[code] = max(known, lines)
        while sum(self._lines.values()) > self.core.code_cache_lines and len(self._lines) > 1:
            del self._lines[next(iter(self._lines))]
        return max(0.0, lines - known) * self.core.code_line_cycles

    @property
    def content(self) -> Cached:
        """What is there now."""
        return tuple(self._lines.items())

    def replace(self, content: Cached = ()) -> None:
        """That is there, and nothing else."""
        self._lines = dict(content)
