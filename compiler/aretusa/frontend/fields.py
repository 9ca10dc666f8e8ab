"""Fields: typed reading of a configuration object; a wrong type is an error that names the key."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.errors import ModelError
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object or GGUF metadata; `None` counts as absent, a bool is never a number."""

    values: Mapping[str, object]
    file: Path
    prefix: str = ""

    def get(self, key: str) -> object:
        """The value as it is, None if absent."""
        return self.values.get(self.prefix + key)

    def integer(self, key: str, default: int | None = None) -> int:
        """An integer; `default` if absent, an error if there is no default."""
        value = self._present(key, default)
        if type(value) is not int:
            raise self.error(key, f"must be an integer, found {_shown(value)}")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        """A finite number; `default` if absent, an error if there is no default."""
        value = self._present(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"must be a number, found {_shown(value)}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.error(key, "must be a finite number")
        return number

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false; `default` if absent."""
        value = self._present(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, found {_shown(value)}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string; `default` if absent, an error if there is no default."""
        value = self._present(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"must be a string, found {_shown(value)}")
        return value

    def table(self, key: str) -> Fields | None:
        """A nested object; None if absent."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(key, f"must be an object, found {_shown(value)}")
        return Fields(value, self.file)

    def error(self, key: str, what: str) -> ModelError:
        """The error E0200 about one key."""
        return ModelError(
            "E0200",
            f"'{printable(self.prefix + key)}' {what}",
            file=self.file,
            fix="Correct the value, or export the checkpoint again.",
        )

    def _present(self, key: str, default: object) -> object:
        value = self.get(key)
        if value is not None:
            return value
        if default is None:
            raise self.error(key, "is missing")
        return default


def _shown(value: object) -> str:
    return f"{type(value).__name__} {printable(repr(value), 40)}"
