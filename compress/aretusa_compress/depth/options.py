"""Options of the stage depth."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from aretusa_compress.recipe.options import Options

# Blocks that removal leaves alone by default: first four, last two (Shortened LLaMA).
PROTECTED_FIRST: Final = 4
PROTECTED_LAST: Final = 2


class Importance(StrEnum):
    """How the importance of a block is measured; docs/compress.md has the formulas."""

    MAGNITUDE = "magnitude"
    TAYLOR = "taylor"
    PERPLEXITY = "perplexity"
    BLOCK_INFLUENCE = "block-influence"


class MergeOptions(Options):
    """LaCo: fold `span` - 1 later blocks into an earlier one while outputs stay similar."""

    span: Annotated[int, Field(ge=2)] = 4
    interval: Annotated[int, Field(ge=1)] = 2
    threshold: Annotated[float, Field(gt=-1.0, lt=1.0)] = 0.65
    threshold_step: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05


class DepthOptions(Options):
    """What becomes of the blocks: one of `remove`, `blocks`, `map`.

    `remove` takes that many blocks away, the least important first, or merges that many into
    others. `blocks` names the blocks to take away, `map` the block that stands at each place of the
    new model, so that blocks may be left out, moved and repeated (their weights are stored once).
    """

    remove: Annotated[int, Field(ge=1)] | None = None
    blocks: tuple[Annotated[int, Field(ge=0)], ...] = ()
    map: tuple[Annotated[int, Field(ge=0)], ...] = ()
    importance: Importance = Importance.PERPLEXITY
    iterative: bool = False
    merge: MergeOptions | None = None
    protect_first: Annotated[int, Field(ge=0)] = PROTECTED_FIRST
    protect_last: Annotated[int, Field(ge=0)] = PROTECTED_LAST

    @model_validator(mode="after")
    def _has_one_plan(self) -> Self:
        given = [self.remove is not None, bool(self.blocks), bool(self.map)]
        if sum(given) != 1:
            raise ValueError("give exactly one of remove, blocks and map")
        if len(set(self.blocks)) != len(self.blocks):
            raise ValueError("blocks names a block twice")
        if self.merge is not None and self.remove is None:
            raise ValueError("merge needs remove: how many blocks are to go")
        return self

    @property
    def needs_calibration(self) -> bool:
        """Whether blocks are judged by what they do to a text."""
        if self.remove is None:
            return False
        return self.merge is not None or self.importance is not Importance.MAGNITUDE
