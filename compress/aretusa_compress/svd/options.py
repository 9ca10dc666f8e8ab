"""Options of the stage svd: which matrices become two, and at which rank."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from aretusa_compress.recipe.options import Options

Rank = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Bits = Annotated[int, Field(ge=2, le=8)]


class Method(StrEnum):
    """What a truncation keeps: the largest weights, the largest outputs, what moves the loss."""

    PLAIN = "plain"
    WHITENED = "whitened"
    KFAC = "kfac"


class Weigh(StrEnum):
    """How an error of a matrix's outputs counts when a budget is distributed."""

    OUTPUT = "output"  # as it is
    RELATIVE = "relative"  # as a share of those outputs
    LOSS = "loss"  # times the mean square of the loss's gradient there


class Selection(Options):
    """Matrices by patterns, such as `k_proj`, `mlp.*`, `4.self_attn.k_proj`, `4.*`.

    Of the `matrices`, those that a pattern of `dense` means too stay as they are.
    """

    matrices: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    dense: tuple[str, ...] = ()


class Ranks(Selection):
    """How many components are kept: exactly one of `rank`, `share`, `budget`, or only `ranks`.

    `rank` is that of every matrix, `share` what each keeps of its parameters, `budget` what all
    chosen matrices together keep, given to those where it lowers the error most. `ranks` sets the
    rank of single matrices by pattern, the last one that fits. Ranks are multiples of `multiple`.
    Where two factors would hold no fewer parameters than the matrix, it stays. With `tile` each row
    of a matrix or factor counts as so many whole tiles: 252 is what N-EUREKA stores in 3x3 mode.
    """

    rank: Rank | None = None
    share: Share | None = None
    budget: Share | None = None
    ranks: dict[str, Rank] = Field(default_factory=dict)
    multiple: Annotated[int, Field(ge=1)] = 1
    tile: Annotated[int, Field(ge=1)] = 1
    method: Method = Method.WHITENED
    weigh: Weigh = Weigh.LOSS

    @model_validator(mode="after")
    def _has_one_amount(self) -> Self:
        given = [one for one in (self.rank, self.share, self.budget) if one is not None]
        if len(given) > 1 or not (given or self.ranks):
            raise ValueError("give exactly one of rank, share and budget, or ranks alone")
        return self

    @property
    def needs_gradients(self) -> bool:
        """Whether a budget asks how large the loss's gradient is at each matrix."""
        is_weighed = self.budget is not None and self.weigh is Weigh.LOSS
        return is_weighed and self.method is not Method.KFAC

    @property
    def needs_calibration(self) -> bool:
        """Whether texts run through the model."""
        return self.method is not Method.PLAIN or self.needs_gradients


class SvdOptions(Ranks):
    """Truncated singular value decompositions; factors of `bits` per output channel, or float."""

    bits: Bits | None = None
