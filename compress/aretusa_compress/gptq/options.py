"""Options of the stage gptq."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.recipe.options import Options

LIBRARY_BITS: Final = (2, 3, 4, 8)  # those of GPTQModel's format
Bits = Annotated[int, Field(ge=2, le=8)]


class Solver(StrEnum):
    """Who rounds: GPTQModel, whose format has groups, or this project, for whole channels."""

    LIBRARY = "gptqmodel"
    OWN = "own"


class GptqOptions(Options):
    """`group` inputs share a scale, or all of an output channel ("channel").

    Groups are rounded by GPTQModel and stored in its format. Channels are rounded by this project's
    solver at any width from 2 to 8, `bits_of` naming matrices (`mlp.down_proj`, or with their block
    `3.mlp.down_proj`) that differ; N-EUREKA runs them fastest. With `reorder` GPTQModel rounds
    columns with strong inputs first; what it writes is in the order of the columns all the same.
    """

    bits: Bits = 4
    group: Literal["channel"] | Annotated[int, Field(ge=16)] = 128
    symmetric: bool = True
    reorder: bool = True
    damping: Annotated[float, Field(gt=0, lt=1)] = 0.01
    bits_of: dict[str, Bits] = Field(default_factory=dict)
    scale_rounds: Annotated[int, Field(ge=0, le=8)] = 2

    @property
    def solver(self) -> Solver:
        """What the grouping asks for."""
        return Solver.OWN if self.group == "channel" else Solver.LIBRARY

    def bits_for(self, block: int, matrix: str) -> int:
        """Width of a matrix; its name with the block comes before that without."""
        return self.bits_of.get(f"{block}.{matrix}", self.bits_of.get(matrix, self.bits))

    @model_validator(mode="after")
    def _fits_the_solver(self) -> Self:
        if self.solver is Solver.OWN:
            if not self.symmetric:
                raise ValueError("codes per channel are symmetric; set symmetric to true")
            self._check_names()
            return self
        if self.bits not in LIBRARY_BITS:
            raise ValueError(f"groups take {LIBRARY_BITS} bits; group: channel takes 2 to 8")
        if self.bits_of:
            raise ValueError("bits_of needs group: channel")
        return self

    def _check_names(self) -> None:
        for name in self.bits_of:
            block, _, rest = name.partition(".")
            matrix = rest if block.isdigit() else name
            if matrix not in MATRICES:
                raise ValueError(f"bits_of names '{name}'; matrices: {', '.join(MATRICES)}")
