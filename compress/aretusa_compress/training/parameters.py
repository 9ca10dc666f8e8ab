"""train_parameters(): some parameters of a model learn, all others stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aretusa_compress.run.determinism import seed_everything
from aretusa_compress.training.loop import Training, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.context import StageContext
    from aretusa_compress.training.options import UpdateOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What parameters learn: see Training, whose `objective`, `adjust` and `buffers` these are."""

    what: str
    options: UpdateOptions
    objective: Callable[[Any, Tensor, Tensor], Tensor]
    adjust: Callable[[int], None] = field(default=lambda _step: None)
    buffers: dict[str, Tensor] = field(default_factory=dict)


def train_parameters(
    context: StageContext, model: Model, parameters: dict[str, nn.Parameter], lesson: Lesson
) -> list[float]:
    """Change the parameters; returns the loss of each update, per target of the training text."""
    model.network.requires_grad_(requires_grad=False)
    for value in parameters.values():
        value.requires_grad_(requires_grad=True)
    seed_everything(context.seed)
    training = Training(
        network=model.network,
        parameters=parameters,
        examples=context.texts.examples("training", context.source),
        options=lesson.options,
        seed=context.seed,
        device=context.device,
        losses=[],
        objective=lesson.objective,
        adjust=lesson.adjust,
        buffers=lesson.buffers,
        what=lesson.what,
    )
    train(training, context.state, context.progress)
    return training.losses
