"""Joint training of what stands in for matrices, against the original model or on the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from aretusa_compress.calr.options import Goal, JointOptions
from aretusa_compress.model.load import load_model
from aretusa_compress.run.determinism import seed_everything
from aretusa_compress.training.distilling import divergence_from
from aretusa_compress.training.loop import Training, text_nats, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.context import StageContext
    from aretusa_compress.svd.decompositions import Place


@dataclass(frozen=True, slots=True)
class Extra:
    """What a kind of training does beside: see Training."""

    adjust: Callable[[int], None]
    buffers: dict[str, Tensor]


def put_layers(model: Model, layers: dict[Place, Any]) -> None:
    """Let every block that uses a matrix use a layer instead."""
    for place, layer in layers.items():
        parent, _, child = place.matrix.rpartition(".")
        for index, stored in enumerate(model.layer_map):
            if stored == place.block:
                setattr(model.blocks[index].get_submodule(parent), child, layer)


def train_jointly(
    context: StageContext,
    model: Model,
    parameters: dict[str, nn.Parameter],
    options: JointOptions,
    extra: Extra | None = None,
) -> list[float]:
    """Change the parameters of a model; returns the loss of each update, per target."""
    model.network.requires_grad_(requires_grad=False)
    for value in parameters.values():
        value.requires_grad_(requires_grad=True)
    seed_everything(context.seed)
    training = Training(
        network=model.network,
        parameters=parameters,
        examples=context.texts.examples("training", context.source),
        options=options,
        seed=context.seed,
        device=context.device,
        losses=[],
        objective=_objective(options, context.source, context.device),
        what="branches",
        **({} if extra is None else {"adjust": extra.adjust, "buffers": extra.buffers}),  # type: ignore[arg-type]
    )
    train(training, context.state, context.progress)
    return training.losses


def _objective(
    options: JointOptions, source: Path, device: torch.device
) -> Callable[[Any, Tensor, Tensor], Tensor]:
    match options.goal:
        case Goal.TEXT:
            return text_nats
        case Goal.KL:
            frozen = torch.bfloat16 if options.mixed_precision else torch.float32
            teacher = load_model(source, dtype=frozen, device=device)
            return divergence_from(teacher.network)
