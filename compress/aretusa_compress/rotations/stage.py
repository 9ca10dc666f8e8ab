"""The stage rotate: an equal model whose matrices lose less when they are rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from aretusa_compress.fit.measure import Reference
from aretusa_compress.fit.rounding import Kept, round_in_order
from aretusa_compress.model.load import load_model
from aretusa_compress.model.save import save_model
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.rotations.orthogonal import orthogonal
from aretusa_compress.rotations.rotate import check_can_rotate, rotate_residual, rotate_values
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape
from aretusa_compress.solvers.gptq import GptqOptions

if TYPE_CHECKING:
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.rotations.options import RotateOptions, Rotation
    from aretusa_compress.texts.options import DataOptions

_FLOAT64_BYTES = 8


def run(context: StageContext, options: RotateOptions) -> Report:
    """Write the rotated model; report what every candidate measured."""
    measured = _measured(context, options) if options.measures else {}
    chosen = min(options.candidates, key=lambda one: measured.get(one.value, {}).get("kl", 0.0))
    model = _rotated(context, chosen)
    save_model(model, context.source, context.output)
    return {"chosen": chosen.value, "bits": options.bits, "measured": measured}


def _rotated(context: StageContext, rotation: Rotation) -> Model:
    """The model, its products computed in binary64 and stored in binary32."""
    model = load_model(context.source, dtype=torch.float32, device=context.device)
    check_can_rotate(model)
    config = model.network.config
    if rotation.turns_residual:
        rotate_residual(model, orthogonal(config.hidden_size, context.seed).to(context.device))
    if rotation.turns_values:
        width = getattr(config, "head_dim", None)
        width = width or config.hidden_size // config.num_attention_heads
        rotate_values(model, orthogonal(width, context.seed + 1).to(context.device))
    return model


def _measured(context: StageContext, options: RotateOptions) -> dict[str, dict[str, float]]:
    windows = context.texts.windows("calibration", context.source).to(context.device)
    spare = len(windows) - options.samples
    if spare < 1:
        raise cannot_apply(
            f"{len(windows)} windows of calibration text are too few",
            f"{options.samples} of them are measured on, the others are for rounding",
            "Raise data.calibration.samples, or lower samples of the stage rotate",
        )
    original = load_model(context.source, dtype=torch.float32, device=context.device)
    reference = Reference(original, windows[spare:])
    kept: dict[str, dict[str, float]] = context.state.read_json("measured") or {}
    for rotation in options.candidates:
        if rotation.value not in kept:
            model = _rotated(context, rotation)
            blocks = range(len(model.blocks))
            round_in_order(
                model,
                windows[:spare],
                {(block, name): options.bits for block in blocks for name in MATRICES},
                GptqOptions(damping=options.damping),
                kept=Kept(context.state, rotation.value),
                progress=context.progress,
            )
            found = reference.measure_other(model)
            kept[rotation.value] = {"kl": found.kl, "nats": found.nats}
            context.state.write_json("measured", kept)
    return kept


def _need(shape: Shape, options: RotateOptions, data: DataOptions, weight_bytes: int) -> Need:
    """The original and a rotated model in binary32, what is measured, the widest moments."""
    del weight_bytes  # products are computed in binary64, stored in binary32
    parts = {
        "libraries": LIBRARY_BYTES,
        "weights": 3 * (shape.weights + shape.embedding) * FLOAT32_BYTES,
        "matrix": 2 * shape.embedding * _FLOAT64_BYTES,
    }
    if options.measures and data.calibration is not None:
        tokens, samples = data.calibration.tokens, data.calibration.samples or 1
        states = options.samples * tokens * shape.hidden * (shape.layers + 1) * FLOAT32_BYTES
        parts["measured"] = states + options.samples * shape.logits_bytes(tokens)
        parts["stream"] = 2 * samples * tokens * shape.hidden * FLOAT32_BYTES
        parts["moments"] = 8 * shape.ffn * shape.ffn * _FLOAT64_BYTES
    return Need(parts)


def _roles(options: RotateOptions) -> tuple[str, ...]:
    return ("calibration",) if options.measures else ()


ROTATE: Stage[Any] = Stage(run=run, need=_need, roles=_roles)
