"""dense_tensors(): a checkpoint in any stored form as plain float32 matrices.

The forms are those of docs/checkpoints.md: integer codes with scales per output channel, factors
of low rank, branches of low rank beside a matrix, GPTQ's packed words, layers that share their
weights. PyTorch computes with the result the float model that the compiler approximates.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError, safe_open

from aretusa_compress.errors import ModelError
from aretusa_compress.model.gptq_words import unpack_gptq
from aretusa_compress.model.guard import CONFIG, read_json, weight_files

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_LAYER: Final = re.compile(r"^model\.layers\.(\d+)\.")
_PARTS: Final = ("low_rank_in", "low_rank_out", "adapter_in", "adapter_out")


def dense_tensors(directory: Path) -> dict[str, Tensor]:
    """All tensors by the names that transformers expects, in float32.

    Raises ModelError E0120 and its like for files, E0505 for tensors that do not belong together.
    """
    config = read_json(directory / CONFIG)
    stored = _read(directory)
    packed = {name.removesuffix(".qweight") for name in stored if name.endswith(".qweight")}
    for matrix in sorted(packed):
        stored[f"{matrix}.weight"] = _unpack(directory, stored, matrix, config)
    for matrix in sorted(_with_suffix(stored, ".codes")):
        codes, scales = stored.pop(f"{matrix}.codes"), _take(directory, stored, f"{matrix}.scales")
        stored[f"{matrix}.weight"] = codes.to(torch.float32) * scales.to(torch.float32)[:, None]
    _join_factors(directory, stored)
    plain = {name: tensor.to(torch.float32) for name, tensor in stored.items()}
    return _repeat_layers(directory, plain, config)


def _read(directory: Path) -> dict[str, Tensor]:
    stored: dict[str, Tensor] = {}
    for path in weight_files(directory):
        try:
            with safe_open(path, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118 - the object is no mapping
                    stored[name] = tensors.get_tensor(name)
        except (SafetensorError, OSError) as problem:
            raise ModelError(
                "E0120",
                "the weights cannot be read",
                file=path,
                why=str(problem)[:120],
                fix="Write or download the file again",
            ) from problem
    return stored


def _with_suffix(stored: dict[str, Tensor], suffix: str) -> set[str]:
    return {name.removesuffix(suffix) for name in stored if name.endswith(suffix)}


def _take(directory: Path, stored: dict[str, Tensor], name: str) -> Tensor:
    if name not in stored:
        raise _inconsistent(directory, f"{name} is missing")
    return stored.pop(name)


def _unpack(
    directory: Path, stored: dict[str, Tensor], matrix: str, config: dict[str, Any]
) -> Tensor:
    words = {
        part: _take(directory, stored, f"{matrix}.{part}")
        for part in ("qweight", "qzeros", "scales", "g_idx")
    }
    try:
        return unpack_gptq(words, config.get("quantization_config") or {})
    except (KeyError, ValueError, RuntimeError, IndexError) as problem:
        raise _inconsistent(directory, f"{matrix} cannot be unpacked: {problem}") from problem


def _join_factors(directory: Path, stored: dict[str, Tensor]) -> None:
    """Products of low rank in place of a matrix, and those beside one."""
    found = {
        part: _with_suffix(stored, f".{part}.weight") for part in _PARTS if part.endswith("_in")
    }
    for matrix in sorted(found["low_rank_in"]):
        stored[f"{matrix}.weight"] = _product(directory, stored, matrix, "low_rank")
    for matrix in sorted(found["adapter_in"]):
        beside = _product(directory, stored, matrix, "adapter")
        dense = _take(directory, stored, f"{matrix}.weight").to(torch.float32)
        if dense.shape != beside.shape:
            raise _inconsistent(directory, f"{matrix} and its adapter differ in shape")
        stored[f"{matrix}.weight"] = dense + beside


def _product(directory: Path, stored: dict[str, Tensor], matrix: str, form: str) -> Tensor:
    inner = _take(directory, stored, f"{matrix}.{form}_in.weight").to(torch.float32)
    outer = _take(directory, stored, f"{matrix}.{form}_out.weight").to(torch.float32)
    if inner.dim() != 2 or outer.dim() != 2 or outer.shape[1] != inner.shape[0]:
        raise _inconsistent(directory, f"the factors of {matrix} do not fit each other")
    return outer @ inner


def _repeat_layers(
    directory: Path, tensors: dict[str, Tensor], config: dict[str, Any]
) -> dict[str, Tensor]:
    """The blocks of the model from the blocks that are stored ("aretusa": {"layers": [...]})."""
    order = (config.get("aretusa") or {}).get("layers")
    if order is None:
        return tensors
    by_layer: dict[int, dict[str, Tensor]] = {}
    repeated: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        match = _LAYER.match(name)
        if match is None:
            repeated[name] = tensor
        else:
            by_layer.setdefault(int(match[1]), {})[name[match.end() :]] = tensor
    for layer, stored in enumerate(order):
        if stored not in by_layer:
            raise _inconsistent(directory, f"block {layer} uses block {stored}, which is missing")
        for name, tensor in by_layer[stored].items():
            repeated[f"model.layers.{layer}.{name}"] = tensor
    return repeated


def _inconsistent(directory: Path, what: str) -> ModelError:
    return ModelError(
        "E0505", what, file=directory, fix="Write the checkpoint again with the stage that made it"
    )
