"""Options of the stage awq."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from aretusa_compress.recipe.options import Options


class Store(StrEnum):
    """What the stage writes: codes, or the scaled weights for a stage gptq behind it."""

    CODES = "codes"
    FLOAT = "float"


class AwqOptions(Options):
    """Exponents 0, 1/points, 2/points, ... are tried for rounding to `bits` bits per channel.

    One point leaves the exponent 0 alone: plain rounding, with the clip of each row fitted.
    """

    bits: Annotated[int, Field(ge=2, le=8)] = 4
    points: Annotated[int, Field(ge=1, le=100)] = 20
    store: Store = Store.CODES
