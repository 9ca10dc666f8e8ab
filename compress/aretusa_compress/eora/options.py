"""Options of the stage eora."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aretusa_compress.recipe.options import Options


class EoraOptions(Options):
    """A branch of `rank` beside every matrix, from `samples` windows of the calibration text.

    `rank` is that of every matrix; a matrix smaller than it gets what it can hold.
    """

    rank: Annotated[int, Field(ge=1)] = 32
    samples: Annotated[int, Field(ge=1)] = 64
