"""Options of the stage fit."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from aretusa_compress.fit.budget import Budget, parse_budget
from aretusa_compress.fit.forms import Form
from aretusa_compress.recipe.options import Options

Bits = Annotated[int, Field(ge=2, le=8)]


class Objective(StrEnum):
    """What is made small on the windows that are measured."""

    KL = "kl"  # KL(original || changed)
    PPL = "ppl"  # the text's perplexity


class FitOptions(Options):
    """Choose `widths` per matrix so that the objective is best within all `budgets`.

    The last `samples` windows of the calibration text are measured on, the others are for rounding.
    One matrix at a time is measured at the widths in `measured` (empty: all); the others follow
    from those by the error of the matrix's outputs. With `probes` that is done in so many blocks,
    and gradients of the loss tell of the others. `shares` adds factors that hold such shares of
    a matrix's parameters, `drop` lets so many blocks go. After the program so many `swaps` are
    tried by measuring. Costs are those of decode behind `prefill_tokens` on `target`.
    """

    target: str = "siracusa"
    objective: Objective = Objective.KL
    budgets: Annotated[tuple[str, ...], Field(min_length=1)]
    widths: Annotated[tuple[Bits, ...], Field(min_length=1)] = (2, 3, 4, 5, 6, 7, 8)
    measured: tuple[Bits, ...] = ()
    probes: Annotated[int, Field(ge=0)] = 0
    samples: Annotated[int, Field(ge=1)] = 4
    shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    drop: Annotated[int, Field(ge=0)] = 0
    swaps: Annotated[int, Field(ge=0)] = 24
    front: Annotated[int, Field(ge=0)] = 5
    damping: Annotated[float, Field(gt=0, lt=1)] = 0.01
    scale_rounds: Annotated[int, Field(ge=0, le=8)] = 2
    prefill_tokens: Annotated[int, Field(ge=1)] = 64
    decode_tokens: Annotated[int, Field(ge=2)] = 8
    chunk: Annotated[int, Field(ge=1, le=256)] | None = None

    @field_validator("budgets")
    @classmethod
    def _are_budgets(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_budget(text)
        return texts

    @field_validator("widths", "measured")
    @classmethod
    def _in_order(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(widths)))

    @model_validator(mode="after")
    def _measures_what_it_offers(self) -> Self:
        strange = set(self.measured) - set(self.widths)
        if strange:
            raise ValueError(f"measured names {sorted(strange)}, which widths does not")
        if self.probes and self.shares:
            raise ValueError(
                "factors have to be measured in all blocks; leave out probes or shares"
            )
        return self

    @property
    def limits(self) -> tuple[Budget, ...]:
        """The budgets."""
        return tuple(parse_budget(text) for text in self.budgets)

    @property
    def forms(self) -> tuple[Form, ...]:
        """All forms of a matrix of a block; factors have codes of the greatest width."""
        factors = (Form(max(self.widths), share) for share in sorted(set(self.shares)))
        return (*(Form(bits) for bits in self.widths), *factors)

    @property
    def measured_forms(self) -> tuple[Form, ...]:
        """Those that are measured one matrix at a time: of factors all."""
        widths = self.measured or self.widths
        return tuple(form for form in self.forms if form.share or form.bits in widths)
