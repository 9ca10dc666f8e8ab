"""Options of the stage rotate."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from aretusa_compress.recipe.options import Options


class Rotation(StrEnum):
    """What is rotated."""

    NONE = "none"
    VALUES = "values"  # what each head hands to the output projection; costs nothing
    RESIDUAL = "residual"  # the stream between blocks; gives a tied head a matrix of its own
    BOTH = "both"

    @property
    def turns_values(self) -> bool:
        """Whether heads are rotated."""
        return self in {Rotation.VALUES, Rotation.BOTH}

    @property
    def turns_residual(self) -> bool:
        """Whether the stream between blocks is rotated."""
        return self in {Rotation.RESIDUAL, Rotation.BOTH}


class RotateOptions(Options):
    """One of `candidates` is kept: with several that which measures best.

    It is the one with the least KL(original || rounded) on the last `samples` windows of the
    calibration text, after rounding all matrices of the blocks to `bits` for the other windows.
    """

    candidates: Annotated[tuple[Rotation, ...], Field(min_length=1)] = (
        Rotation.NONE,
        Rotation.VALUES,
    )
    bits: Annotated[int, Field(ge=2, le=8)] = 4
    samples: Annotated[int, Field(ge=1)] = 2
    damping: Annotated[float, Field(gt=0, lt=1)] = 0.01

    @field_validator("candidates")
    @classmethod
    def _are_distinct(cls, candidates: tuple[Rotation, ...]) -> tuple[Rotation, ...]:
        return tuple(dict.fromkeys(candidates))

    @property
    def measures(self) -> bool:
        """Whether there is a choice at all."""
        return len(self.candidates) > 1
