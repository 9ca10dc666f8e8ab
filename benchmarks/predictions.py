"""What plans predict: how good the placement is, and what each engine and width would bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from subjects import PLACED, ROOT, TINY_ORATOR

from aretusa.neureka.linear import Engine
from aretusa.options import AUTO, BITS, CompileOptions
from aretusa.verbs.plan import PlanRequest, plan_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.plan_results import PlacementResult, PlanReport, TotalsResult

PLACED_BITS: Final = 4
TARGET: Final = "siracusa-1gib"  # the same for all models, the largest included
ENGINES: Final = (*(engine.value for engine in Engine), AUTO)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementQuality:
    """The plan of one model beside what first fit finds; cycles are those of the whole request."""

    name: str
    parameters: int
    prefill_tokens: int
    decode_tokens: int
    objective_cycles: int
    bound_cycles: int
    gap: float
    status: str
    first_fit_cycles: int
    decode_cycles_per_token: int
    decode_tokens_per_second: float

    @property
    def first_fit_ratio(self) -> float:
        """How much longer the request takes where weights lie where they first fit."""
        return self.first_fit_cycles / self.objective_cycles


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePlan:
    """Predicted cycles of tiny-orator when one engine has all linear layers, or each its best."""

    engine: str
    bits: int
    objective_cycles: int  # of the whole request
    decode_cycles: int  # per token
    linear_cycles: int  # of these, those of the linear layers
    prefill_cycles: int  # of the whole prompt


def measure_placements() -> tuple[PlacementQuality, ...]:
    """Plan every model whose checkpoint or configuration is there."""
    return tuple(
        _placement(name, checkpoint)
        for name, checkpoint in PLACED.items()
        if (ROOT / checkpoint).exists()
    )


def _placement(name: str, checkpoint: str) -> PlacementQuality:
    options = CompileOptions(bits=PLACED_BITS, target=TARGET)
    report = plan_model(ROOT / checkpoint, PlanRequest(options=options))
    placed, totals = _results(report)
    return PlacementQuality(
        name=name,
        parameters=report.model.parameters,
        prefill_tokens=report.options.prefill_tokens,
        decode_tokens=report.options.decode_tokens,
        objective_cycles=placed.objective_cycles,
        bound_cycles=placed.bound_cycles,
        gap=placed.gap,
        status=placed.status,
        first_fit_cycles=placed.first_fit_cycles,
        decode_cycles_per_token=totals.decode_cycles_per_token,
        decode_tokens_per_second=totals.decode_tokens_per_second,
    )


def measure_engines() -> Iterator[EnginePlan]:
    """Every engine and the planner's choice, at every width."""
    for bits in BITS:
        for engine in (*Engine, None):
            options = CompileOptions(bits=bits, engine=engine)
            report = plan_model(TINY_ORATOR.path, PlanRequest(options=options))
            placed, totals = _results(report)
            yield EnginePlan(
                engine=options.engine_name,
                bits=bits,
                objective_cycles=placed.objective_cycles,
                decode_cycles=totals.decode_cycles_per_token,
                linear_cycles=sum(r.decode_cycles for r in report.layers if r.op == "linear"),
                prefill_cycles=totals.prefill_cycles,
            )


def _results(report: PlanReport) -> tuple[PlacementResult, TotalsResult]:
    placed, totals = report.placement, report.totals
    assert placed is not None, f"{report.model.name} does not fit {report.target}"
    assert totals is not None, f"{report.model.name} does not fit {report.target}"
    return placed, totals
