"""The stage eora: branches of low rank beside quantised weights."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from aretusa_compress.eora.branches import find_branches
from aretusa_compress.errors import ModelError
from aretusa_compress.gptq.library import branches_with_library
from aretusa_compress.gptq.stage import machine_of
from aretusa_compress.model.decode import WORDS
from aretusa_compress.model.forms import ADAPTER_IN, ADAPTER_OUT
from aretusa_compress.model.guard import CONFIG, WEIGHTS, read_json
from aretusa_compress.model.load import OWN_KEY, load_model, read_tensors
from aretusa_compress.model.save import copy_companions, write_json
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.directory import RECORD
from aretusa_compress.run.history import last_float, tensor_names
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape

if TYPE_CHECKING:
    from torch import Tensor

    from aretusa_compress.eora.options import EoraOptions
    from aretusa_compress.texts.options import DataOptions

_PEFT_WEIGHTS: Final = "adapter_model.safetensors"
_PEFT_CONFIG: Final = "adapter_config.json"
_FLOAT64_BYTES: Final = 8


def run(context: StageContext, options: EoraOptions) -> Report:
    """Write the quantised model with branches; report their parameters."""
    windows = context.texts.windows("calibration", context.source)[: options.samples]
    original, quantised = last_float(context, "eora")
    if _was_scaled(quantised):
        raise cannot_apply(
            "eora cannot compare with weights that awq scaled while it rounded them",
            "no checkpoint holds them scaled and exact",
            "Give awq store: float, and put gptq between it and eora",
        )
    names = tensor_names(context.source)
    find = _from_library if any(name.endswith(WORDS) for name in names) else _own
    tensors = find(context, options, original, windows)
    _write(context, tensors)
    ranks = {tensor.shape[0] for name, tensor in tensors.items() if name.endswith(ADAPTER_IN)}
    parameters = sum(tensor.numel() for tensor in tensors.values())
    return {"parameters": parameters, "ranks": sorted(ranks)}


def _was_scaled(checkpoint: Path) -> bool:
    """Whether the stage that made it was awq."""
    record = checkpoint / RECORD
    return record.is_file() and read_json(record).get("stage") == "awq"


def _own(
    context: StageContext, options: EoraOptions, original: Path, windows: Tensor
) -> dict[str, Tensor]:
    exact = load_model(original, dtype=torch.float32, device=context.device)
    quantised = load_model(context.source, dtype=torch.float32, device=context.device, decode=True)
    context.progress.start("finding branches", len(quantised.blocks))
    branches = find_branches(
        exact,
        quantised,
        windows.to(context.device),
        options.rank,
        context.state,
        progress=lambda *_: context.progress.advance(),
    )
    inner = {f"{name}{ADAPTER_IN}": found.inner for name, found in branches.items()}
    return inner | {f"{name}{ADAPTER_OUT}": found.outer for name, found in branches.items()}


def _from_library(
    context: StageContext, options: EoraOptions, original: Path, windows: Tensor
) -> dict[str, Tensor]:
    """GPTQModel's adapter, by the names of a checkpoint."""
    context.progress.start("finding branches with GPTQModel", 1)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "adapter"
        branches_with_library(
            original,
            context.source,
            output,
            windows,
            rank=options.rank,
            machine=machine_of(context),
        )
        tensors = read_peft(output)
    context.progress.advance()
    return tensors


def read_peft(directory: Path) -> dict[str, Tensor]:
    """Adapters that peft or GPTQModel saved, with their factor alpha / r in the outer matrix.

    Raises ModelError E0202 for tensors that are no pairs.
    """
    config = read_json(directory / _PEFT_CONFIG)
    factor = float(config["lora_alpha"]) / float(config["r"])
    try:
        stored = load_file(directory / _PEFT_WEIGHTS)
    except (SafetensorError, OSError) as problem:
        raise ModelError(
            "E0103",
            "the adapter is no sound safetensors file",
            file=directory / _PEFT_WEIGHTS,
            why=str(problem)[:120],
            fix="Write it again",
        ) from problem
    found: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        module = name.removeprefix("base_model.model.").removesuffix(".weight")
        stem, _, side = module.rpartition(".")
        match side:
            case "lora_A":
                found[f"{stem}{ADAPTER_IN}"] = tensor.to(torch.float32)
            case "lora_B":
                found[f"{stem}{ADAPTER_OUT}"] = tensor.to(torch.float32) * factor
            case _:
                raise ModelError(
                    "E0202",
                    f"{name} is no part of an adapter",
                    file=directory,
                    fix="Write it again",
                )
    return found


def _write(context: StageContext, tensors: dict[str, Tensor]) -> None:
    """The checkpoint of the source with the branches in it."""
    config: dict[str, Any] = read_json(context.source / CONFIG)
    branches = {name: tensor.contiguous() for name, tensor in tensors.items()}
    everything = read_tensors(context.source) | branches
    save_file(
        {name: everything[name] for name in sorted(everything)},
        context.output / WEIGHTS,
        metadata={"format": "pt"},
    )
    ranks = {
        name.removesuffix(ADAPTER_IN): tensor.shape[0]
        for name, tensor in tensors.items()
        if name.endswith(ADAPTER_IN)
    }
    own = {"version": 1, **(config.get(OWN_KEY) or {}), "adapters": ranks}
    write_json(context.output / CONFIG, {**config, OWN_KEY: own})
    copy_companions(context.source, context.output)
    words = context.source / "quantize_config.json"
    if words.is_file():
        shutil.copyfile(words, context.output / words.name)


def _need(shape: Shape, options: EoraOptions, data: DataOptions, weight_bytes: int) -> Need:
    """Both models, the stream of all windows, the axes of the widest layer's moments."""
    del weight_bytes
    tokens = data.calibration.tokens if data.calibration is not None else 0
    return Need(
        {
            "libraries": LIBRARY_BYTES,
            "weights": 4 * shape.weights * FLOAT32_BYTES,
            "stream": 2 * options.samples * tokens * shape.hidden * FLOAT32_BYTES,
            "activations": shape.block_activation_bytes(tokens, FLOAT32_BYTES),
            "moments": 5 * shape.ffn * shape.ffn * _FLOAT64_BYTES,
        }
    )


EORA: Stage[Any] = Stage(
    run=run,
    need=_need,
    roles=lambda _: ("calibration",),
    libraries=("gptqmodel",),
    uses_history=True,
)
