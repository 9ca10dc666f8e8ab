"""Options of the stage sensitivity."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from aretusa_compress.recipe.options import Options
from aretusa_compress.svd.options import SvdOptions


class Unit(StrEnum):
    """What is given back at a time."""

    MATRIX = "matrix"
    BLOCK = "block"


class Quantity(StrEnum):
    """What giving a unit back must improve."""

    KL = "kl"
    NATS = "nats"
    MSE = "mse"
    REPETITION = "repetition"


class PillarOptions(Options):
    """A pillar improves `by` more than the others do: by `threshold` robust standard deviations.

    These are 1.4826 times the median distance from the median. With `per_parameter` the improvement
    is divided by the parameters that giving the unit back costs.
    """

    by: Quantity = Quantity.KL
    threshold: Annotated[float, Field(gt=0.0)] = 3.5
    at_most: Annotated[int, Field(ge=0)] = 8
    per_parameter: bool = False


class SensitivityOptions(SvdOptions):
    """Truncate everything chosen, give one unit back at a time; and truncate one at a time.

    The last `samples` windows of the calibration text are measured on, the others weigh the
    truncation. `generate` tokens follow the first `prompt` tokens of each of `prompts` windows
    (0: nothing is generated); repetition is counted in runs of `run` tokens.
    """

    unit: Unit = Unit.MATRIX
    samples: Annotated[int, Field(ge=1)] = 4
    prompts: Annotated[int, Field(ge=1)] = 4
    prompt: Annotated[int, Field(ge=1)] = 16
    generate: Annotated[int, Field(ge=0)] = 48
    run: Annotated[int, Field(ge=1)] = 4
    pillars: PillarOptions = PillarOptions()

    @model_validator(mode="after")
    def _measures_what_decides(self) -> Self:
        if self.pillars.by is Quantity.REPETITION and not self.generate:
            raise ValueError("pillars by repetition need generate")
        return self
