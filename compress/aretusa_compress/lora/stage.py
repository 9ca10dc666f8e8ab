"""The stage lora: low-rank adapters are trained, then merged or kept beside the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from aretusa_compress.lora.adapters import attach, keep_adapters, trained
from aretusa_compress.model.load import load_model
from aretusa_compress.model.save import save_model
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.determinism import seed_everything
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape
from aretusa_compress.training.loop import Training, train
from aretusa_compress.width.options import ATTENTION

if TYPE_CHECKING:
    from torch import Tensor

    from aretusa_compress.lora.options import LoraOptions
    from aretusa_compress.texts.options import DataOptions
    from aretusa_compress.texts.windows import Examples

# AdamW keeps two moments beside the value and its gradient, all in binary32.
_VALUES_PER_PARAMETER = 4


def run(context: StageContext, options: LoraOptions) -> Report:
    """Write the model with trained adapters in or beside its weights; report the losses."""
    examples = context.texts.examples("training", context.source)
    tensors, losses = _trained(context, options, examples)
    model = load_model(context.source, dtype=context.dtype, device=context.device)
    keep_adapters(model, tensors, options)
    save_model(model, context.source, context.output)
    return {"losses": losses, "parameters": sum(value.numel() for value in tensors.values())}


def _trained(
    context: StageContext, options: LoraOptions, examples: Examples
) -> tuple[dict[str, Tensor], list[float]]:
    """The adapters by name, and the loss of each update.

    With mixed precision the frozen weights are bfloat16 while the adapters stay binary32; later the
    adapters are put into the weights as the checkpoint has them.
    """
    frozen = torch.bfloat16 if options.mixed_precision else context.dtype
    model = load_model(context.source, dtype=frozen, device=context.device)
    if model.shares_blocks:
        raise cannot_apply(
            "adapters cannot be trained where blocks share weights",
            "each use of a weight would learn another change of it",
            "Put lora before the map of depth in the recipe",
        )
    if options.checkpoint_activations:
        model.network.gradient_checkpointing_enable({"use_reentrant": False})
        model.network.enable_input_require_grads()
    seed_everything(context.seed)
    training = Training(
        network=model.network,
        parameters=trained(attach(model.network, options)),
        examples=examples,
        options=options,
        seed=context.seed,
        device=context.device,
        losses=[],
    )
    train(training, context.state, context.progress)
    values = {name: value.detach().clone() for name, value in training.parameters.items()}
    return values, training.losses


def _need(shape: Shape, options: LoraOptions, data: DataOptions, weight_bytes: int) -> Need:
    """The weights twice while they are read, what a batch leaves for the way back, the adapters."""
    tokens = options.batch * (data.training.tokens if data.training is not None else 0)
    value_bytes = 2 if options.mixed_precision else weight_bytes
    layers = 2 if options.checkpoint_activations else shape.layers
    widths = 2 * shape.hidden + shape.attention_rows
    if set(options.matrices) - set(ATTENTION):
        widths += 3 * (shape.hidden + shape.ffn)
    adapters = shape.layers * options.rank * widths
    return Need(
        {
            "libraries": LIBRARY_BYTES,
            "weights": 2 * shape.weights * max(weight_bytes, value_bytes),
            "activations": layers * shape.block_activation_bytes(tokens, 2 * value_bytes),
            "logits": 2 * shape.logits_bytes(tokens),
            "adapters": _VALUES_PER_PARAMETER * FLOAT32_BYTES * adapters,
        }
    )


LORA = Stage(run=run, need=_need, roles=lambda _: ("training",), libraries=("peft",))
