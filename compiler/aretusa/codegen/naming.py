"""C identifiers, unique and stable, from the compiler's own names, never from a model's text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_WORDS_OF_C: Final = """
auto break case char const continue default do double else enum extern float for
goto if inline int long register restrict return short signed sizeof static struct
switch typedef union unsigned void volatile while
"""
_WORDS_OF_TEMPLATES: Final = """
step tokens layer row src matrix out images stop_tokens layer_order shape transform
scratch weight residual gate up codes scales cache query
"""
_RESERVED: Final = frozenset((_WORDS_OF_C + _WORDS_OF_TEMPLATES).split())


@dataclass(slots=True)
class Names:
    """Hands out identifiers; the same (space, key) always gets the same one."""

    _given: dict[tuple[str, str], str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def identifier(self, space: str, key: str) -> str:
        """An identifier for `key`; `space` keeps buffers, weights and functions apart."""
        known = self._given.get((space, key))
        if known is not None:
            return known
        stem = re.sub(r"[^a-z0-9]+", "_", key.lower()).strip("_")
        if not stem or stem[0].isdigit():
            stem = f"item_{stem}".strip("_")
        name, number = stem, 2
        while name in self._taken or name in _RESERVED or name[0].isdigit():
            name, number = f"{stem}_{number}", number + 1
        self._given[space, key] = name
        self._taken.add(name)
        return name
