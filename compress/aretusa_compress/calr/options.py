"""Options of the stages calr and losparse."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from aretusa_compress.recipe.options import Options
from aretusa_compress.svd.options import Bits, Method, Ranks, Selection, Share
from aretusa_compress.training.options import UpdateOptions


class Start(StrEnum):
    """Where corrective branches begin: at what the truncation cut off next, or at nothing."""

    RESIDUAL = "residual"
    ZERO = "zero"


class Goal(StrEnum):
    """What joint training lowers: divergence from the original model, or loss on the text."""

    KL = "kl"
    TEXT = "text"


class LayerOptions(Options):
    """Training of one layer at a time, on `rows` tokens of its recorded inputs an update.

    `steps` 0 leaves it out. The target is what the original layer makes of those inputs.
    """

    steps: Annotated[int, Field(ge=0)] = 200
    rows: Annotated[int, Field(ge=1)] = 256
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3


class JointOptions(UpdateOptions):
    """Training of all branches together; with `factors` the truncated matrices change too."""

    goal: Goal = Goal.KL
    factors: bool = False
    learning_rate: Annotated[float, Field(gt=0.0)] = 3e-4


class CalrOptions(Ranks):
    """Ranks are those of the layer that is stored: `corrective` of them are the branch's.

    Without a branch (`corrective` 0) this is truncation. The chosen matrices are those of the
    feed-forward networks; add `q_proj`, `k_proj`, `v_proj` to try attention. Of the blocks, `spare`
    stay dense: those whose truncation alone moves the model's outputs most, measured on `samples`
    windows of the calibration text.
    """

    matrices: Annotated[tuple[str, ...], Field(min_length=1)] = ("mlp.*",)
    method: Method = Method.KFAC
    corrective: Annotated[int, Field(ge=0)] = 16
    start: Start = Start.RESIDUAL
    spare: Annotated[int, Field(ge=0)] = 0
    samples: Annotated[int, Field(ge=1)] = 2
    layer: LayerOptions = LayerOptions()
    joint: JointOptions | None = None
    bits: Bits | None = None

    @property
    def needs_calibration(self) -> bool:
        """Whether texts run through the model before joint training."""
        trains_layers = self.corrective > 0 and self.layer.steps > 0
        return super().needs_calibration or trains_layers or self.spare > 0


class LosparseOptions(Selection):
    """W = U V + S: factors, and a matrix of which most columns are zero (LoSparse).

    Of each matrix the share `keep` of its parameters remains, `low_rank` of that as factors. The
    columns of S go while it is trained, from all of them at the first update to those that are kept
    at the share `settled` of the updates, by the sensitivity |weight * gradient|, smoothed with
    `smoothing`.
    """

    matrices: Annotated[tuple[str, ...], Field(min_length=1)] = ("mlp.*",)
    keep: Share = 0.5
    low_rank: Share = 0.5
    settled: Share = 0.7
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.85
    joint: JointOptions

    @model_validator(mode="after")
    def _trains_by_itself(self) -> Self:
        if self.joint.factors:
            raise ValueError("factors and columns are always trained; leave joint.factors out")
        return self
