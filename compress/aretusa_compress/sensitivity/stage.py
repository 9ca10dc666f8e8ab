"""The stage sensitivity: what truncation costs unit by unit, and a model that keeps the worst."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.model.anatomy import ANATOMIES
from aretusa_compress.model.load import load_model
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.memory import Need, Shape
from aretusa_compress.sensitivity.measure import EVERYTHING, Sensitivity
from aretusa_compress.sensitivity.plot import can_draw, draw
from aretusa_compress.sensitivity.report import analysis, comma_separated, markdown, policy
from aretusa_compress.sensitivity.units import switched_units
from aretusa_compress.svd.choose import choose_ranks
from aretusa_compress.svd.patterns import matches_any
from aretusa_compress.svd.stage import decomposed_model, need_for, totals
from aretusa_compress.svd.store import put_factors, save_with_codes, truncated

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.sensitivity.options import SensitivityOptions
    from aretusa_compress.solvers.low_rank import Factors
    from aretusa_compress.svd.decompositions import Parts, Place
    from aretusa_compress.svd.store import PairOfCodes
    from aretusa_compress.texts.options import DataOptions

NAME: Final = "sensitivity"  # of the files beside the checkpoint
POLICY: Final = "policy.yaml"


@dataclass(frozen=True, slots=True)
class _Truncated:
    """The chosen matrices in components, their ranks, and what those stand for."""

    parts: dict[str, Parts]
    ranks: dict[str, int | None]
    factors: dict[Place, Factors]
    codes: dict[Place, PairOfCodes]


def run(context: StageContext, options: SensitivityOptions) -> Report:
    """Write tables, picture and policy, and the model with all but the pillars in factors."""
    model = load_model(context.source, dtype=context.dtype, device=context.device)
    weighing, measuring = _windows(context, options)
    found = _truncated(context, model, options, weighing)
    document = _analysed(context, model, options, found, measuring)
    pillars: list[str] = document["pillars"]
    _write(context.output, options, document)
    kept = [place for place in found.factors if not matches_any(pillars, place.short)]
    for place in kept:
        put_factors(model, place, found.factors[place])
    codes = {place.name: found.codes[place] for place in kept if place in found.codes}
    save_with_codes(model, context.source, context.output, codes)
    ranks = {
        name: None if matches_any(pillars, name) else rank for name, rank in found.ranks.items()
    }
    files = [f"{NAME}.{ending}" for ending in ("json", "csv", "md")]
    return {
        "pillars": pillars,
        "everything": document["everything"],
        "original": document["original"],
        "files": [*files, POLICY, *([f"{NAME}.png"] if can_draw() else [])],
        **totals(found.parts, ranks),
    }


def _windows(context: StageContext, options: SensitivityOptions) -> tuple[Tensor, Tensor]:
    """Windows that weigh the truncation, and others that are measured on."""
    windows = context.texts.windows("calibration", context.source)
    spare = len(windows) - options.samples
    if spare < (1 if options.needs_calibration else 0):
        raise cannot_apply(
            f"{len(windows)} windows of calibration text are too few",
            f"{options.samples} of them are measured on, others weigh the truncation",
            "Raise data.calibration.samples, or lower samples of the stage sensitivity",
        )
    if options.generate and options.prompt > windows.shape[1]:
        raise cannot_apply(
            f"a prompt of {options.prompt} tokens is longer than a window",
            f"windows have {windows.shape[1]}",
            "Lower prompt, or raise data.calibration.tokens",
        )
    return windows[:spare], windows[spare:]


def _truncated(
    context: StageContext, model: Model, options: SensitivityOptions, windows: Tensor
) -> _Truncated:
    whole = decomposed_model(context, model, options, windows, options.bits)
    parts, ranks = whole.parts, choose_ranks(options, whole.parts, whole.gradients)
    factors: dict[Place, Factors] = {}
    codes: dict[Place, PairOfCodes] = {}
    for place in whole.places:
        rank = ranks[place.short]
        if rank is not None:
            factors[place], pair = truncated(parts[place.short], rank, options)
            if pair is not None:
                codes[place] = pair
    if not factors:
        raise cannot_apply(
            "no matrix gets smaller at these ranks",
            "factors would hold no fewer parameters than the matrices",
            "Lower rank or share of the stage sensitivity",
        )
    return _Truncated(parts, ranks, factors, codes)


def _analysed(
    context: StageContext,
    model: Model,
    options: SensitivityOptions,
    found: _Truncated,
    windows: Tensor,
) -> dict[str, Any]:
    units = switched_units(model, found.factors, options.unit)
    sensitivity = Sensitivity(
        model=model,
        units=units,
        windows=windows,
        options=options,
        state=context.state,
        progress=context.progress,
    )
    original = sensitivity.original()
    only = sensitivity.only_one()
    all_but = sensitivity.all_but_one()
    for unit in units:
        unit.turn(model, factored=False)
    return analysis(
        options,
        units,
        {place.short: found.parts[place.short] for place in found.factors},
        found.ranks,
        original=original,
        all_but=all_but,
        only=only,
        everything=all_but[EVERYTHING],
    )


def _write(output: Path, options: SensitivityOptions, document: dict[str, Any]) -> None:
    (output / f"{NAME}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    (output / f"{NAME}.csv").write_text(comma_separated(document), "utf-8")
    (output / f"{NAME}.md").write_text(markdown(document), "utf-8")
    (output / POLICY).write_text(policy(options, document["pillars"]), "utf-8")
    if can_draw():
        draw(document, output / f"{NAME}.png")


def _need(shape: Shape, options: SensitivityOptions, data: DataOptions, weight_bytes: int) -> Need:
    """Beside a truncation: all factors as layers, and logits of the original and the changed."""
    parts = dict(need_for(shape, options, data, weight_bytes).parts)
    tokens = data.calibration.tokens if data.calibration is not None else 0
    parts["factors"] = shape.layers * shape.block_weights * weight_bytes
    parts["compared"] = 2 * shape.logits_bytes(tokens)
    cached = options.prompts * (options.prompt + options.generate)
    parts["texts"] = 2 * cached * shape.layers * shape.attention_rows * weight_bytes
    return Need(parts)


SENSITIVITY: Stage[Any] = Stage(
    run=run,
    need=_need,
    roles=lambda _: ("calibration",),
    libraries=("matplotlib",),
    families=tuple(ANATOMIES),
)
