"""Joint training of what stands in for matrices, against the original model or on the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from aretusa_compress.calr.options import Goal, JointOptions
from aretusa_compress.model.load import load_model
from aretusa_compress.training.distilling import divergence_from
from aretusa_compress.training.loop import text_nats
from aretusa_compress.training.parameters import Lesson

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.context import StageContext
    from aretusa_compress.svd.decompositions import Place


def put_layers(model: Model, layers: dict[Place, Any]) -> None:
    """Let every block that uses a matrix use a layer instead."""
    for place, layer in layers.items():
        parent, _, child = place.matrix.rpartition(".")
        for index, stored in enumerate(model.layer_map):
            if stored == place.block:
                setattr(model.blocks[index].get_submodule(parent), child, layer)


def joint_lesson(context: StageContext, options: JointOptions) -> Lesson:
    """What is to be learned, from the text or from the model that `context` begins with."""
    objective = _objective(options, context.source, context.device)
    return Lesson(what="branches", options=options, objective=objective)


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
