"""The stage awq: inputs are scaled, then weights become codes per channel by plain rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from aretusa_compress.awq.blocks import scale_blocks
from aretusa_compress.awq.options import Store
from aretusa_compress.model.guard import WEIGHTS
from aretusa_compress.model.load import OWN_KEY, load_model
from aretusa_compress.model.save import coded_tensors, save_model, stored_tensors
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape

if TYPE_CHECKING:
    from aretusa_compress.awq.blocks import Scaled
    from aretusa_compress.awq.options import AwqOptions
    from aretusa_compress.texts.options import DataOptions

_FLOAT64_BYTES = 8


def run(context: StageContext, options: AwqOptions) -> Report:
    """Write the scaled model, rounded or not; report exponents and errors."""
    windows = context.texts.windows("calibration", context.source)
    # Scales are folded in binary32: weights of 16 bits would be rounded once more.
    model = load_model(context.source, dtype=torch.float32, device=context.device)
    if (model.config.get(OWN_KEY) or {}).get("ranks"):
        raise cannot_apply(
            "awq cannot scale matrices that are products of two",
            "their inputs have no column of a matrix",
            "Put awq before the stage that factors them, or take gptq with group: channel",
        )
    context.progress.start("scaling blocks", len(model.blocks))
    found = scale_blocks(
        model,
        windows.to(context.device),
        options,
        context.state,
        progress=context.progress.advance,
    )
    bits = {name: codes.bits for name, codes in found.codes.items()}
    save_model(model, context.source, context.output, {"bits": bits})
    if options.store is Store.CODES:
        tensors = coded_tensors(stored_tensors(model), found.codes)
        save_file(tensors, context.output / WEIGHTS, metadata={"format": "pt"})
    return {"bits": options.bits, "store": options.store.value, **_summary(found)}


def _summary(found: Scaled) -> Report:
    """Exponents by what gives the inputs, block after block, and the share of error that is left.

    The error is that of plain rounding, summed over all outputs of all matrices.
    """
    givers = list(next(iter(found.choices.values())))
    blocks = list(found.choices.values())
    plain = sum(choice.plain_error for block in blocks for choice in block.values())
    left = sum(choice.error for block in blocks for choice in block.values())
    return {
        "exponents": {giver: [block[giver].exponent for block in blocks] for giver in givers},
        "error_share": left / plain if plain > 0 else 1.0,
    }


def _need(shape: Shape, options: AwqOptions, data: DataOptions, weight_bytes: int) -> Need:
    """The weights twice, the streams before and behind a block, the moments of the widest layer."""
    del options, weight_bytes  # binary32 throughout
    samples = data.calibration.samples or 1 if data.calibration is not None else 1
    tokens = data.calibration.tokens if data.calibration is not None else 0
    return Need(
        {
            "libraries": LIBRARY_BYTES,
            "weights": 2 * shape.weights * FLOAT32_BYTES,
            "stream": 2 * samples * tokens * shape.hidden * FLOAT32_BYTES,
            "activations": shape.block_activation_bytes(tokens, FLOAT32_BYTES),
            "moments": 2 * shape.ffn * shape.ffn * _FLOAT64_BYTES,
            "matrix": 6 * shape.ffn * shape.hidden * FLOAT32_BYTES,
        }
    )


AWQ: Stage[Any] = Stage(run=run, need=_need, roles=lambda _: ("calibration",))
