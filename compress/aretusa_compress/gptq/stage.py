"""The stage gptq: weights become codes, by GPTQModel in groups or by this project per channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from aretusa_compress.gptq.channels import code_blocks
from aretusa_compress.gptq.library import Grouping, Machine, quantise_with_library
from aretusa_compress.gptq.options import GptqOptions, Solver
from aretusa_compress.gptq.tidy import tidy_library_output
from aretusa_compress.model.guard import WEIGHTS
from aretusa_compress.model.load import OWN_KEY, load_model
from aretusa_compress.model.save import coded_tensors, copy_companions, save_model, stored_tensors
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape

if TYPE_CHECKING:
    from aretusa_compress.texts.options import DataOptions

_FLOAT64_BYTES = 8


def run(context: StageContext, options: GptqOptions) -> Report:
    """Write the quantised model; report the widths."""
    windows = context.texts.windows("calibration", context.source)
    match options.solver:
        case Solver.OWN:
            return _channels(context, options, windows)
        case Solver.LIBRARY:
            return _groups(context, options, windows)


def _channels(context: StageContext, options: GptqOptions, windows: torch.Tensor) -> Report:
    # The solver compares errors of the sixth digit; weights of 16 bits are widened for it.
    model = load_model(context.source, dtype=torch.float32, device=context.device)
    context.progress.start("rounding blocks", len(model.blocks))
    codes = code_blocks(
        model,
        windows.to(context.device),
        options,
        context.state,
        progress=lambda *_: context.progress.advance(),
    )
    bits = {name: found.bits for name, found in codes.items()}
    save_model(model, context.source, context.output, {"bits": bits})
    tensors = coded_tensors(stored_tensors(model), codes)
    save_file(tensors, context.output / WEIGHTS, metadata={"format": "pt"})
    return {"bits": _counts(bits)}


def _counts(bits: dict[str, int]) -> dict[str, int]:
    """How many matrices have each width."""
    widths = sorted(bits.values())
    return {str(width): widths.count(width) for width in sorted(set(widths))}


def _groups(context: StageContext, options: GptqOptions, windows: torch.Tensor) -> Report:
    assert options.group != "channel"
    own = load_model(context.source, dtype=torch.float32).config.get(OWN_KEY) or {}
    strange = sorted(own.keys() & {"layers", "ranks", "adapters"})
    if strange:
        raise cannot_apply(
            f"GPTQModel cannot read a model with {', '.join(strange)}",
            "its format knows dense matrices in distinct blocks only",
            "Set group: channel, or put gptq before the stage that made them",
        )
    context.progress.start("quantising with GPTQModel", 1)
    quantise_with_library(
        context.source,
        context.output,
        windows,
        Grouping(
            bits=options.bits,
            group=options.group,
            symmetric=options.symmetric,
            reorder=options.reorder,
            damping=options.damping,
        ),
        machine_of(context),
    )
    copy_companions(context.source, context.output)
    tidy_library_output(context.source, context.output)
    context.progress.advance()
    return {"bits": {str(options.bits): "all"}, "group": options.group}


def machine_of(context: StageContext) -> Machine:
    """Where this run computes, for a process of the library."""
    return Machine(device=context.device.type, threads=torch.get_num_threads(), seed=context.seed)


def _need(shape: Shape, options: GptqOptions, data: DataOptions, weight_bytes: int) -> Need:
    """The weights twice, the stream of all windows, the moments of the widest layer thrice."""
    del weight_bytes  # both solvers work in binary32
    samples = data.calibration.samples or 1 if data.calibration is not None else 1
    tokens = data.calibration.tokens if data.calibration is not None else 0
    libraries = LIBRARY_BYTES * (1 if options.solver is Solver.OWN else 2)
    return Need(
        {
            "libraries": libraries,
            "weights": 2 * shape.weights * FLOAT32_BYTES,
            "stream": 2 * samples * tokens * shape.hidden * FLOAT32_BYTES,
            "activations": shape.block_activation_bytes(tokens, FLOAT32_BYTES),
            "moments": 4 * shape.ffn * shape.ffn * _FLOAT64_BYTES,
            "matrix": 6 * shape.ffn * shape.hidden * _FLOAT64_BYTES,
        }
    )


def _roles(options: GptqOptions) -> tuple[str, ...]:
    del options
    return ("calibration",)


GPTQ: Stage[Any] = Stage(run=run, need=_need, roles=_roles, libraries=("gptqmodel",))
