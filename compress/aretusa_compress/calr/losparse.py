"""The stage losparse: every chosen matrix becomes a low-rank plus a column-sparse one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from aretusa_compress.calr.joint import joint_lesson, put_layers
from aretusa_compress.calr.sparse import SparseLinear, columns_at
from aretusa_compress.calr.stage import joint_need
from aretusa_compress.model import forms
from aretusa_compress.model.anatomy import ANATOMIES
from aretusa_compress.model.load import OWN_KEY, load_model
from aretusa_compress.model.save import save_model
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape
from aretusa_compress.solvers.low_rank import truncate
from aretusa_compress.svd.decompositions import chosen_places, layer_of
from aretusa_compress.svd.ranks import Size
from aretusa_compress.training.parameters import train_parameters

if TYPE_CHECKING:
    from aretusa_compress.calr.options import LosparseOptions
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.svd.decompositions import Place
    from aretusa_compress.texts.options import DataOptions


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of one matrix: rank of the factors, columns of S that remain."""

    rank: int
    columns: int


def amounts(size: Size, keep: float, low_rank: float) -> Amounts:
    """What a share of a matrix's parameters is spent on; at least one of each."""
    budget = keep * size.parameters
    rank = max(1, int(low_rank * budget / size.factored(1)))
    return Amounts(rank, max(1, int((budget - size.factored(rank)) / size.rows)))


def run(context: StageContext, options: LosparseOptions) -> Report:
    """Write S as the matrix and U V as its adapter; report what each matrix keeps."""
    model = load_model(context.source, dtype=torch.float32, device=context.device)
    if model.shares_blocks:
        raise cannot_apply(
            "columns cannot be pruned where blocks share weights",
            "they are judged by one use",
            "Put losparse before the map of depth in the recipe",
        )
    places = chosen_places(model, options)
    kept = {}
    layers: dict[Place, SparseLinear] = {}
    for place in places:
        original = layer_of(model, place)
        assert isinstance(original, nn.Linear), place.name
        size = Size(original.out_features, original.in_features)
        kept[place] = amounts(size, options.keep, options.low_rank)
        factors = truncate(original.weight.detach().cpu(), kept[place].rank)
        layers[place] = SparseLinear(original, factors)
    put_layers(model, layers)
    losses = _train(context, model, options, layers, kept)
    _save(context, layers)
    before = sum(layer.sparse.numel() for layer in layers.values())
    after = sum(
        layer.inner.numel() + layer.outer.numel() + kept[place].columns * layer.sparse.shape[0]
        for place, layer in layers.items()
    )
    return {
        "matrices": {
            place.short: {"rank": one.rank, "columns": one.columns} for place, one in kept.items()
        },
        "losses": losses,
        "parameters_before": before,
        "parameters_after": after,
    }


def _train(
    context: StageContext,
    model: Model,
    options: LosparseOptions,
    layers: dict[Place, SparseLinear],
    kept: dict[Place, Amounts],
) -> list[float]:
    parameters = {
        f"{place.short}.{name}": getattr(layer, name)
        for place, layer in layers.items()
        for name in ("inner", "outer", "sparse")
    }
    buffers = {
        f"{place.short}.{name}": getattr(layer, name)
        for place, layer in layers.items()
        for name in ("mask", "sensitivity", "uncertainty")
    }
    joint = options.joint
    examples = len(context.texts.examples("training", context.source).ids)
    steps = joint.updates(examples)

    def adjust(step: int) -> None:
        for place, layer in layers.items():
            columns = layer.sparse.shape[1]
            layer.look(options.smoothing)
            layer.keep_columns(
                columns_at(step, steps, columns, kept[place].columns, options.settled)
            )

    lesson = replace(joint_lesson(context, joint), adjust=adjust, buffers=buffers)
    return train_parameters(context, model, parameters, lesson)


@torch.no_grad()
def _save(context: StageContext, layers: dict[Place, SparseLinear]) -> None:
    model = load_model(context.source, dtype=context.dtype, device=context.device)
    for place, layer in layers.items():
        factors = layer.factors()
        linear = layer_of(model, place)
        linear.weight.copy_(layer.dense_part())
        adapted = forms.adapt(model.network, place.name, factors.inner.shape[0])
        adapted.adapter_in.weight.copy_(factors.inner)
        adapted.adapter_out.weight.copy_(factors.outer)
    names = {place.name for place in layers}
    zeros = (model.config.get(OWN_KEY) or {}).get("sparsity", {})
    kept = {name: pattern for name, pattern in zeros.items() if name not in names}
    save_model(model, context.source, context.output, {"sparsity": kept or None})


def _need(shape: Shape, options: LosparseOptions, data: DataOptions, weight_bytes: int) -> Need:
    """The weights thrice, what training holds, and moments of whole matrices."""
    del weight_bytes
    return Need(
        {
            "libraries": LIBRARY_BYTES,
            "weights": 3 * shape.weights * FLOAT32_BYTES,
            **joint_need(shape, options.joint, data),
        }
    )


LOSPARSE: Stage[Any] = Stage(
    run=run, need=_need, roles=lambda _: ("training",), families=tuple(ANATOMIES)
)
