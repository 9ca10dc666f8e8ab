"""Options of the stage lora."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from aretusa_compress.recipe.options import Options
from aretusa_compress.width.options import ATTENTION, FEED_FORWARD


class Keep(StrEnum):
    """What becomes of the trained adapters."""

    MERGED = "merged"  # added to the weights
    BRANCH = "branch"  # stored beside them, as M.adapter_in and M.adapter_out


class LoraOptions(Options):
    """Low-rank adapters, trained on the training texts of the recipe.

    Give `steps` (updates of the adapters) or `epochs` (passes over the training windows). An update
    sees `batch` * `accumulation` windows.
    """

    rank: Annotated[int, Field(ge=1)] = 8
    alpha: Annotated[float, Field(gt=0.0)] = 16.0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    matrices: tuple[str, ...] = ATTENTION
    steps: Annotated[int, Field(ge=1)] | None = None
    epochs: Annotated[float, Field(gt=0.0)] | None = None
    batch: Annotated[int, Field(ge=1)] = 4
    accumulation: Annotated[int, Field(ge=1)] = 4
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-4
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.03
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    clip: Annotated[float, Field(gt=0.0)] = 1.0
    mixed_precision: bool = True
    checkpoint_activations: bool = False
    save_every: Annotated[int, Field(ge=1)] = 20
    keep: Keep = Keep.MERGED

    @field_validator("matrices")
    @classmethod
    def _are_matrices(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in (*ATTENTION, *FEED_FORWARD)]
        if unknown or not names:
            raise ValueError(f"choose matrices from {', '.join((*ATTENTION, *FEED_FORWARD))}")
        return names

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give exactly one of steps and epochs")
        return self
