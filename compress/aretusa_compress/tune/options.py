"""Options of the stage tune."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from aretusa_compress.training.options import UpdateOptions


class Part(StrEnum):
    """What may learn."""

    SCALES = "scales"  # of the rows of codes
    NORMS = "norms"  # their gains
    BRANCHES = "branches"  # adapters beside codes


class TuneOptions(UpdateOptions):
    """Train `parts` of a model of codes towards the predictions of the model before them.

    Scales and gains are multiplied by e^t, where t begins at 0 and learns at `learning_rate`;
    branches learn themselves.
    """

    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = (Part.SCALES, Part.NORMS)
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3
    mixed_precision: bool = False
