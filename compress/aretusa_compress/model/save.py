"""save_model(): a model -> a checkpoint directory, byte for byte the same each time."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Final

from safetensors.torch import save_file

from aretusa_compress.model import forms
from aretusa_compress.model.anatomy import BLOCK_TENSOR
from aretusa_compress.model.guard import CONFIG, WEIGHTS
from aretusa_compress.model.load import OWN_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.solvers.grid import Codes

VERSION: Final = 1  # of what config.json says under "aretusa"

# Beside the weights: what a tokenizer and a program that generates text want to know.
COMPANIONS: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
)


def save_model(
    model: Model, source: Path, output: Path, changes: dict[str, Any] | None = None
) -> None:
    """Write weights and configuration into `output`, and copy the tokenizer of `source`.

    `changes` are keys below "aretusa" in config.json, such as `sparsity`; None takes a key away.
    Layers, ranks and adapters are said there by themselves.
    """
    output.mkdir(parents=True, exist_ok=True)
    tensors = stored_tensors(model)
    save_file(tensors, output / WEIGHTS, metadata={"format": "pt"})
    config = dict(model.config)
    dtype = str(model.network.dtype).removeprefix("torch.")
    config["dtype" if "dtype" in config else "torch_dtype"] = dtype
    own = _own_key(model, tensors, changes or {})
    config.pop(OWN_KEY, None)
    if own.keys() > {"version"}:
        config[OWN_KEY] = own
    write_json(output / CONFIG, config)
    copy_companions(source, output)


def stored_tensors(model: Model) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, sorted: shared blocks once, a tied head not at all."""
    place = model.layer_map
    owners = {origin: block for block, origin in reversed(list(enumerate(place)))}
    tensors: dict[str, Tensor] = {}
    for name, value in model.network.state_dict().items():
        found = BLOCK_TENSOR.fullmatch(name)
        if found is None:
            if name != "lm_head.weight" or not model.network.config.tie_word_embeddings:
                tensors[name] = value
        elif owners[place[int(found[2])]] == int(found[2]):
            tensors[f"{found[1]}.{place[int(found[2])]}.{found[3]}"] = value
    return {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}


def coded_tensors(tensors: dict[str, Tensor], codes: Mapping[str, Codes]) -> dict[str, Tensor]:
    """The tensors of a checkpoint, with codes and scales in the place of some weights."""
    found = dict(tensors)
    for name, one in codes.items():
        del found[f"{name}.weight"]
        found[f"{name}{forms.CODES}"] = one.codes.contiguous()
        found[f"{name}{forms.SCALES}"] = one.scales.contiguous()
    return {name: found[name] for name in sorted(found)}


def copy_companions(source: Path, output: Path) -> None:
    """Copy tokenizer and generation settings, unchanged."""
    for name in COMPANIONS:
        if source != output and (source / name).is_file():
            shutil.copyfile(source / name, output / name)


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Sorted keys, two spaces, a last newline."""
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", "utf-8")


def _own_key(model: Model, tensors: dict[str, Tensor], changes: dict[str, Any]) -> dict[str, Any]:
    own = {**model.config.get(OWN_KEY, {}), **changes, "version": VERSION}
    own["layers"] = model.layer_map if model.shares_blocks else None
    own["ranks"] = _ranks(tensors, forms.LOW_RANK_IN)
    own["adapters"] = _ranks(tensors, forms.ADAPTER_IN)
    return {key: value for key, value in own.items() if value not in (None, {})}


def _ranks(tensors: dict[str, Tensor], ending: str) -> dict[str, int]:
    return {
        name.removesuffix(ending): value.shape[0]
        for name, value in tensors.items()
        if name.endswith(ending)
    }
