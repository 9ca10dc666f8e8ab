"""load_model(): a checkpoint directory -> a network of transformers, guarded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
import transformers
from safetensors.torch import load_file

from aretusa_compress.errors import ModelError, UnsupportedError
from aretusa_compress.model import forms
from aretusa_compress.model.anatomy import ANATOMIES, BLOCK_TENSOR
from aretusa_compress.model.decode import decoded, is_quantised
from aretusa_compress.model.guard import CONFIG, check_directory, read_json, weight_files
from aretusa_compress.model.loaded import Model
from aretusa_compress.model.placement import place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

OWN_KEY: Final = "aretusa"  # of config.json
_TORCH_DTYPES: Final = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def stored_dtype(config: Mapping[str, Any]) -> torch.dtype:
    """What a configuration says about its weights; float32 where it says nothing known."""
    named = config.get("dtype", config.get("torch_dtype"))
    return _TORCH_DTYPES.get(str(named), torch.float32)


def block_count(config: Mapping[str, Any]) -> int:
    """Blocks of a model; GPT-Neo has a name of its own for their number."""
    return int(config["num_hidden_layers" if "num_hidden_layers" in config else "num_layers"])


def load_model(
    directory: Path,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    decode: bool = False,
) -> Model:
    """The model of a directory in evaluation mode; `dtype` None keeps that of the files.

    Quantised weights are an error (E0126) unless `decode` asks for the float values of codes.
    """
    check_directory(directory)
    config = read_json(directory / CONFIG)
    own = config.get(OWN_KEY) or {}
    tensors = read_tensors(directory)
    _check_finite(tensors, directory)
    if decode:
        tensors = decoded(tensors, config, directory)
    else:
        _refuse_quantised(config, tensors, directory)
    layer_map = own.get("layers") or list(range(block_count(config)))
    anatomy = ANATOMIES[config["model_type"]]
    tensors = {name: t for name, t in tensors.items() if not name.endswith(anatomy.masks)}
    wanted = stored_dtype(config) if dtype is None else dtype
    network = _network(directory, _unrolled(tensors, layer_map, anatomy.prefix), wanted)
    network.config.use_cache = False
    model = Model(network, config, list(layer_map))
    _share(model)
    if device is not None:
        place(network, device)
    return model


def _network(directory: Path, tensors: dict[str, Tensor], dtype: torch.dtype) -> Any:  # noqa: ANN401
    """The network with all weights; E0202 if configuration and weights disagree."""
    settings = transformers.AutoConfig.from_pretrained(
        directory, local_files_only=True, trust_remote_code=False
    )
    if hasattr(settings, "quantization_config"):
        del settings.quantization_config  # the weights are float by now
    pairs = {name: t for name, t in tensors.items() if ".adapter_" in name or ".low_rank_" in name}
    plain = {name: value for name, value in tensors.items() if name not in pairs}
    missing_ok = {name.removesuffix(forms.LOW_RANK_IN) + ".weight" for name in pairs}
    kind = transformers.MODEL_FOR_CAUSAL_LM_MAPPING[type(settings)]
    network, report = kind.from_pretrained(
        None, config=settings, state_dict=plain, dtype=dtype, output_loading_info=True
    )
    missing = sorted(set(report["missing_keys"]) - missing_ok)
    unexpected = sorted(report["unexpected_keys"])
    wrong = sorted(str(entry[0]) for entry in report["mismatched_keys"])
    if missing or unexpected or wrong:
        found = [*missing, *unexpected, *wrong][:3]
        raise ModelError(
            "E0202",
            f"configuration and weights disagree about {', '.join(found)}",
            file=directory / CONFIG,
            why=f"missing {len(missing)}, unexpected {len(unexpected)}, other shape {len(wrong)}",
            fix="Use the configuration that belongs to the weights",
        )
    _add_pairs(network, pairs)
    network.eval()
    return network


def read_tensors(directory: Path) -> dict[str, Tensor]:
    """The tensors of all its files as they are stored."""
    tensors: dict[str, Tensor] = {}
    for path in weight_files(directory):
        tensors.update(load_file(path))
    return tensors


def _check_finite(tensors: Mapping[str, Tensor], directory: Path) -> None:
    """Raise ModelError E0110 for a tensor with NaN or infinity."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(
                "E0110",
                f"{name} holds NaN or infinity",
                file=directory,
                fix="Export the checkpoint again",
            )


def _refuse_quantised(config: Mapping[str, Any], tensors: dict[str, Tensor], place: Path) -> None:
    if config.get("quantization_config") is not None or is_quantised(tensors):
        raise UnsupportedError(
            "E0126",
            "the weights are quantised already",
            file=place,
            why="this stage changes float weights",
            fix="Put the stage before quantisation in the recipe, or begin with the float model",
        )


def _unrolled(tensors: dict[str, Tensor], layer_map: list[int], prefix: str) -> dict[str, Tensor]:
    """The tensors under the number of each block that uses them."""
    stored: dict[int, dict[str, Tensor]] = {}
    result: dict[str, Tensor] = {}
    for name, value in tensors.items():
        found = BLOCK_TENSOR.fullmatch(name)
        if found is None:
            result[name] = value
        else:
            stored.setdefault(int(found[2]), {})[found[3]] = value
    for index, origin in enumerate(layer_map):
        for rest, value in stored.get(origin, {}).items():
            result[f"{prefix}.{index}.{rest}"] = value
    unused = set(stored) - set(layer_map)
    for origin in sorted(unused):  # transformers reports them as unexpected
        for rest, value in stored[origin].items():
            result[f"{prefix}.{len(layer_map) + origin}.{rest}"] = value
    return result


def _add_pairs(network: Any, pairs: dict[str, Tensor]) -> None:  # noqa: ANN401
    """Put adapters and factors where their tensors are."""
    for name, value in pairs.items():
        if name.endswith(forms.ADAPTER_IN):
            forms.adapt(network, name.removesuffix(forms.ADAPTER_IN), value.shape[0])
        elif name.endswith(forms.LOW_RANK_IN):
            forms.factor(network, name.removesuffix(forms.LOW_RANK_IN), value.shape[0])
    with torch.no_grad():
        for name, value in pairs.items():
            network.get_parameter(name).copy_(value)


def _share(model: Model) -> None:
    """Let blocks of equal origin have the very same parameters."""
    first: dict[int, Any] = {}
    for block, origin in zip(model.blocks, model.origins, strict=True):
        owner = first.setdefault(origin, block)
        if owner is block:
            continue
        for name, parameter in list(owner.named_parameters()):
            parent, _, leaf = name.rpartition(".")
            setattr(block.get_submodule(parent), leaf, parameter)
