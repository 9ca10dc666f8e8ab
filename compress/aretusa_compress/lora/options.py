"""Options of the stage lora."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from aretusa_compress.training.options import UpdateOptions
from aretusa_compress.width.options import ATTENTION, FEED_FORWARD


class Keep(StrEnum):
    """What becomes of the trained adapters."""

    MERGED = "merged"  # added to the weights
    BRANCH = "branch"  # stored beside them, as M.adapter_in and M.adapter_out


class LoraOptions(UpdateOptions):
    """Low-rank adapters, trained on the training texts of the recipe."""

    rank: Annotated[int, Field(ge=1)] = 8
    alpha: Annotated[float, Field(gt=0.0)] = 16.0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    matrices: tuple[str, ...] = ATTENTION
    checkpoint_activations: bool = False
    keep: Keep = Keep.MERGED

    @field_validator("matrices")
    @classmethod
    def _are_matrices(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in (*ATTENTION, *FEED_FORWARD)]
        if unknown or not names:
            raise ValueError(f"choose matrices from {', '.join((*ATTENTION, *FEED_FORWARD))}")
        return names
