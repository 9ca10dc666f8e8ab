"""The stage tune: scales and gains of a model of codes learn from the model before rounding."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from aretusa_compress.model.decode import WORDS
from aretusa_compress.model.guard import CONFIG, WEIGHTS
from aretusa_compress.model.load import load_model, read_tensors
from aretusa_compress.model.save import copy_companions
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.history import last_float
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape
from aretusa_compress.training.distilling import divergence_from
from aretusa_compress.training.parameters import Lesson, train_parameters
from aretusa_compress.tune.network import tunable

if TYPE_CHECKING:
    from torch import Tensor

    from aretusa_compress.texts.options import DataOptions
    from aretusa_compress.tune.options import TuneOptions


def run(context: StageContext, options: TuneOptions) -> Report:
    """Write the checkpoint with other scales, gains and branches; report the loss of each update.

    Losses are KL(original || tuned) in nats per token.
    """
    original, _ = last_float(context, "tune")
    stored = _stored(context)
    teacher = load_model(original, dtype=torch.float32, device=context.device)
    model = load_model(context.source, dtype=torch.float32, device=context.device, decode=True)
    layers = tunable(model, stored)
    parameters = layers.parameters(options.parts)
    if not parameters:
        raise cannot_apply(
            "there is nothing to tune",
            "the checkpoint has no branches",
            "Put tune behind eora, or let scales learn as well",
        )
    objective = divergence_from(teacher.network)
    lesson = Lesson(what="scales", options=options, objective=objective)
    losses = train_parameters(context, model, parameters, lesson)
    learned = layers.learned()
    tensors = {name: _like(stored[name], learned.get(name)) for name in sorted(stored)}
    save_file(tensors, context.output / WEIGHTS, metadata={"format": "pt"})
    shutil.copyfile(context.source / CONFIG, context.output / CONFIG)
    copy_companions(context.source, context.output)
    return {"losses": losses, "parameters": sum(value.numel() for value in parameters.values())}


def _stored(context: StageContext) -> dict[str, Tensor]:
    """The tensors of the source; E0508 for GPTQModel's words."""
    tensors = read_tensors(context.source)
    if any(name.endswith(WORDS) for name in tensors):
        raise cannot_apply(
            "tune changes scales of whole rows",
            "this checkpoint has GPTQModel's words, with scales of groups",
            "Give gptq group: channel, or leave tune out",
        )
    return tensors


def _like(stored: Tensor, learned: Tensor | None) -> Tensor:
    """What was learned in the type of the file, or what it holds."""
    return stored if learned is None else learned.to(stored.dtype).contiguous()


def _need(shape: Shape, options: TuneOptions, data: DataOptions, weight_bytes: int) -> Need:
    """Both models in binary32 and the checkpoints they come from, what a batch leaves behind."""
    del weight_bytes
    tokens = options.batch * (data.training.tokens if data.training is not None else 0)
    return Need(
        {
            "libraries": LIBRARY_BYTES,
            "weights": 4 * shape.weights * FLOAT32_BYTES,
            "batch": shape.layers * shape.block_activation_bytes(tokens, 2 * FLOAT32_BYTES),
            "both logits": 4 * shape.logits_bytes(tokens),
        }
    )


TUNE: Stage[Any] = Stage(run=run, need=_need, roles=lambda _: ("training",), uses_history=True)
