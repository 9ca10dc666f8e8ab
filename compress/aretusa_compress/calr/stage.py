"""The stage calr: truncation, corrective branches trained alone and together, one layer of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from aretusa_compress.calr.branch import Branches, CorrectedLinear, split
from aretusa_compress.calr.joint import joint_lesson, put_layers
from aretusa_compress.calr.layers import LayerTraining
from aretusa_compress.model.anatomy import ANATOMIES
from aretusa_compress.model.load import load_model
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.memory import FLOAT32_BYTES, Need, Shape
from aretusa_compress.sensitivity.measure import Sensitivity
from aretusa_compress.sensitivity.options import SensitivityOptions, Unit
from aretusa_compress.sensitivity.units import switched_units
from aretusa_compress.svd.choose import choose_ranks
from aretusa_compress.svd.decompositions import layer_of
from aretusa_compress.svd.stage import decomposed_model, described, need_for, totals
from aretusa_compress.svd.store import code_factors, dequantised, put_factors, save_with_codes
from aretusa_compress.training.parameters import train_parameters

if TYPE_CHECKING:
    from torch import Tensor

    from aretusa_compress.calr.options import CalrOptions, JointOptions
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.solvers.low_rank import Factors
    from aretusa_compress.svd.decompositions import Place
    from aretusa_compress.svd.stage import Decomposed
    from aretusa_compress.svd.store import PairOfCodes
    from aretusa_compress.texts.options import DataOptions


def run(context: StageContext, options: CalrOptions) -> Report:
    """Write the model with corrected layers; report ranks, spared blocks, errors and losses."""
    # Branches learn in binary32, whatever the files hold.
    model = load_model(context.source, dtype=torch.float32, device=context.device)
    if model.shares_blocks:
        raise cannot_apply(
            "corrective branches cannot be trained where blocks share weights",
            "each use of a weight would learn another correction",
            "Put calr before the map of depth in the recipe",
        )
    windows = None
    if options.needs_calibration:
        windows = context.texts.windows("calibration", context.source)
    found = decomposed_model(context, model, options, windows)
    alone, spared = _heterogeneity(context, model, options, found, windows)
    stay = [place.short for place in found.places if place.block in spared]
    ranks = choose_ranks(options, found.parts, found.gradients, stay=stay)
    layers = _branches(context, options, found, ranks)
    errors = _trained_alone(context, model, options, layers, windows)
    losses: list[float] = []
    if options.joint is not None:
        losses = _trained_jointly(context, model, layers, options.joint)
    _save(context, options, {place: one.joined() for place, one in layers.items()})
    return {
        "matrices": described(found.parts, ranks),
        "divergence_alone": alone,
        "spared": spared,
        "layers": errors,
        "losses": losses,
        **totals(found.parts, ranks),
    }


def _heterogeneity(
    context: StageContext,
    model: Model,
    options: CalrOptions,
    found: Decomposed,
    windows: Tensor | None,
) -> tuple[dict[str, float], list[int]]:
    """KL divergence of the model when one block alone is truncated, and the blocks to spare."""
    if not options.spare:
        return {}, []
    assert windows is not None
    blocks = {place.block for place in found.places}
    if options.spare >= len(blocks):
        raise cannot_apply(
            f"{options.spare} blocks cannot be spared",
            f"matrices of {len(blocks)} are chosen",
            "Lower spare of the stage calr",
        )
    ranks = choose_ranks(options, found.parts, found.gradients)
    factors = {
        place: found.parts[place.short].truncated(rank)
        for place in found.places
        if (rank := ranks[place.short]) is not None
    }
    changed = Sensitivity(
        model=model,
        units=switched_units(model, factors, Unit.BLOCK),
        windows=windows[-options.samples :],
        options=SensitivityOptions(rank=1, generate=0, unit=Unit.BLOCK),
        state=context.state,
        progress=context.progress,
    ).only_one()
    alone = {name.partition(".")[0]: one.divergence.kl for name, one in changed.items()}
    order = sorted(alone, key=lambda block: (-alone[block], int(block)))
    for place in factors:  # the measurement leaves its layers where the matrices were
        assert isinstance(layer_of(model, place), nn.Linear), place.name
    return alone, sorted(map(int, order[: options.spare]))


def _branches(
    context: StageContext,
    options: CalrOptions,
    found: Decomposed,
    ranks: dict[str, int | None],
) -> dict[Place, Branches]:
    generator = torch.Generator().manual_seed(context.seed)
    return {
        place: split(found.parts[place.short], rank, options.corrective, options.start, generator)
        for place in found.places
        if (rank := ranks[place.short]) is not None
    }


def _trained_alone(
    context: StageContext,
    model: Model,
    options: CalrOptions,
    layers: dict[Place, Branches],
    windows: Tensor | None,
) -> dict[str, dict[str, float]]:
    """Train the branches of each layer by themselves; `layers` gets what they have become."""
    if windows is None:
        return {}
    training = LayerTraining(
        model=model,
        layers=layers,
        windows=windows,
        options=options.layer,
        seed=context.seed,
        state=context.state,
        progress=context.progress,
    )
    return training.run()


def _trained_jointly(
    context: StageContext, model: Model, layers: dict[Place, Branches], options: JointOptions
) -> list[float]:
    """Train branches in the model; `layers` gets what they have become."""
    corrected = {}
    for place, branches in layers.items():
        original = layer_of(model, place)
        assert isinstance(original, nn.Linear), place.name
        corrected[place] = CorrectedLinear(original, branches)
    parameters = {
        f"{place.short}.{name}": value
        for place, layer in corrected.items()
        for name, value in layer.trained(factors=options.factors).items()
    }
    if not parameters:
        raise cannot_apply(
            "there is nothing to train jointly",
            "no layer has a corrective branch, and joint.factors is false",
            "Raise corrective, set joint.factors to true, or leave joint out",
        )
    put_layers(model, corrected)
    losses = train_parameters(context, model, parameters, joint_lesson(context, options))
    for place, layer in corrected.items():
        layers[place] = layer.branches()
    return losses


def _save(context: StageContext, options: CalrOptions, factors: dict[Place, Factors]) -> None:
    model = load_model(context.source, dtype=context.dtype, device=context.device)
    codes: dict[str, PairOfCodes] = {}
    for place, found in factors.items():
        stored = found
        if options.bits is not None:
            codes[place.name] = code_factors(found, options.bits)
            stored = dequantised(codes[place.name])
        put_factors(model, place, stored)
    save_with_codes(model, context.source, context.output, codes)


def _need(shape: Shape, options: CalrOptions, data: DataOptions, weight_bytes: int) -> Need:
    """Beside a truncation: recorded inputs of a layer, then what joint training holds."""
    del weight_bytes
    parts = dict(need_for(shape, options, data, FLOAT32_BYTES).parts)
    if data.calibration is not None and options.needs_calibration:
        tokens = (data.calibration.samples or 1) * data.calibration.tokens
        parts["inputs"] = 2 * tokens * max(shape.ffn, shape.hidden) * FLOAT32_BYTES
    if options.joint is not None:
        parts |= joint_need(shape, options.joint, data)
    return Need(parts)


def joint_need(shape: Shape, options: JointOptions, data: DataOptions) -> dict[str, int]:
    """The teacher, what a batch leaves for the way back, moments of what is trained."""
    tokens = options.batch * (data.training.tokens if data.training is not None else 0)
    value_bytes = 2 if options.mixed_precision else FLOAT32_BYTES
    return {
        "teacher": shape.weights * value_bytes,
        "batch": shape.layers * shape.block_activation_bytes(tokens, 2 * value_bytes),
        "both logits": 4 * shape.logits_bytes(tokens),
        "moments of AdamW": 3 * shape.layers * shape.block_weights * FLOAT32_BYTES,
    }


def _roles(options: CalrOptions) -> tuple[str, ...]:
    calibration = ("calibration",) if options.needs_calibration else ()
    return (*calibration, *(("training",) if options.joint is not None else ()))


CALR: Stage[Any] = Stage(run=run, need=_need, roles=_roles, families=tuple(ANATOMIES))
