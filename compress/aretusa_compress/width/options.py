"""Options of the stage width, and what N:M means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator

from aretusa_compress.recipe.options import Options

# The seven matrices of a block, as Hugging Face names them.
ATTENTION: Final = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED_FORWARD: Final = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class Pattern:
    """`removed` of every `group` consecutive columns of a row become zero."""

    removed: int
    group: int

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """`2:4`. Raises ValueError where it is not 0 < N < M."""
        found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text)
        if found is None or not 0 < int(found[1]) < int(found[2]):
            raise ValueError(f"'{text}' is no pattern N:M with 0 < N < M, such as 2:4")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.removed}:{self.group}"


class Score(StrEnum):
    """What the least important weights are: |W| * ||x||, or |W| alone."""

    WANDA = "wanda"
    MAGNITUDE = "magnitude"


class WidthOptions(Options):
    """Which weights become zero: N of every M (`pattern`), or a share of each row (`sparsity`)."""

    pattern: str | None = None
    sparsity: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    score: Score = Score.WANDA
    matrices: tuple[str, ...] = (*ATTENTION, *FEED_FORWARD)

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, text: str | None) -> str | None:
        return None if text is None else str(Pattern.parse(text))

    @field_validator("matrices")
    @classmethod
    def _are_matrices(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in (*ATTENTION, *FEED_FORWARD)]
        if unknown or not names:
            raise ValueError(f"choose matrices from {', '.join((*ATTENTION, *FEED_FORWARD))}")
        return names

    @model_validator(mode="after")
    def _has_one_amount(self) -> Self:
        if (self.pattern is None) == (self.sparsity is None):
            raise ValueError("give exactly one of pattern and sparsity")
        return self

    @property
    def needs_calibration(self) -> bool:
        """Whether the inputs of the matrices are looked at."""
        return self.score is Score.WANDA
