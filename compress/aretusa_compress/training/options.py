"""Options of every stage that trains."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from aretusa_compress.recipe.options import Options


class UpdateOptions(Options):
    """How parameters are trained on the training texts of the recipe.

    Give `steps` (updates of the parameters) or `epochs` (passes over the training windows). An
    update sees `batch` * `accumulation` windows.
    """

    steps: Annotated[int, Field(ge=1)] | None = None
    epochs: Annotated[float, Field(gt=0.0)] | None = None
    batch: Annotated[int, Field(ge=1)] = 4
    accumulation: Annotated[int, Field(ge=1)] = 4
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-4
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.03
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    clip: Annotated[float, Field(gt=0.0)] = 1.0
    mixed_precision: bool = True
    save_every: Annotated[int, Field(ge=1)] = 20

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give exactly one of steps and epochs")
        return self

    def updates(self, examples: int) -> int:
        """Updates in all, with so many windows to train on."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return max(1, math.ceil(self.epochs * examples / (self.batch * self.accumulation)))
