"""Budget: a limit on what a model costs, as a user writes it: `mram=4MiB`, `uJ<=300`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_UNITS: Final = {
    "": 1,
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_TEXT: Final = re.compile(r"\s*(\w+)\s*(<=|>=|=)\s*([0-9.]+)\s*([A-Za-z]*)\s*")


class Quantity(StrEnum):
    """What is limited; all but tokens per second are better low."""

    MRAM = "mram"  # bytes of all weights and tables, as if there were no other weight memory
    TOKENS_PER_S = "tokens_per_s"  # of decode
    UJ = "uJ"  # nominal energy of a decoded token
    BITS = "bits"  # mean of a weight: embedding and head count, a tied one once

    @property
    def is_least(self) -> bool:
        """Whether the limit is one from below."""
        return self is Quantity.TOKENS_PER_S

    @property
    def needs_chip(self) -> bool:
        """Whether only the target's plan and simulation know it."""
        return self is not Quantity.BITS


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit in bytes, tokens per second, microjoules, or bits."""

    quantity: Quantity
    limit: float

    @property
    def text(self) -> str:
        """As `parse_budget` reads it."""
        sign = ">=" if self.quantity.is_least else "<="
        return f"{self.quantity}{sign}{self.limit:.15g}"

    def allows(self, value: float) -> bool:
        """Whether a model with this value is within the limit."""
        return value >= self.limit if self.quantity.is_least else value <= self.limit


def parse_budget(text: str) -> Budget:
    """Raises ValueError that says what is expected."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no budget; write mram=4MiB, tokens_per_s>=400 or bits<=5")
    name, sign, number, unit = found.groups()
    known = {quantity.value.lower(): quantity for quantity in Quantity}
    if name.lower() not in known:
        raise ValueError(f"'{name}' is no quantity; take one of {', '.join(known.values())}")
    quantity = known[name.lower()]
    if sign == ("<=" if quantity.is_least else ">="):
        raise ValueError(f"{quantity} has its limit on the other side; write {quantity}=...")
    if unit not in (_UNITS if quantity is Quantity.MRAM else {""}):
        raise ValueError(f"'{unit}' is no unit of {quantity}")
    try:
        limit = float(number) * _UNITS[unit]
    except ValueError as problem:
        raise ValueError(f"'{number}' is no number") from problem
    if limit <= 0:
        raise ValueError(f"{quantity} must be more than 0")
    return Budget(quantity, limit)
