"""open_adapter(): a LoRA or EoRA directory as peft writes it -> low-rank branches by module."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.errors import ModelError, UsageError
from aretusa.frontend.fields import Fields
from aretusa.frontend.hf_store import PICKLE_ENDINGS, member, pickle_error, widen
from aretusa.frontend.json_text import CONFIG_CODES, read_json_object
from aretusa.frontend.mapped_file import readable
from aretusa.frontend.printable import printable, printable_list
from aretusa.frontend.safetensors_file import FLOAT_DTYPES, open_safetensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from aretusa.frontend.safetensors_file import SafetensorsFile

CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"
SIDES: Final = ("A", "B")
_TENSOR: Final = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.]+", re.ASCII)
# Options under which the branch is no plain product, with the only value that is read.
_PLAIN_OPTIONS: Final[dict[str, object]] = {
    "use_dora": False,
    "fan_in_fan_out": False,
    "lora_bias": False,
    "bias": "none",
    "modules_to_save": None,
    "trainable_token_indices": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """Branches B A by module: A is `lora_A` [r, depth], B `lora_B` [rows, r] times `scales`."""

    config_path: Path
    weights: SafetensorsFile
    names: Mapping[str, tuple[str, str]]  # of the two tensors by module
    scales: Mapping[str, float]  # lora_alpha / r

    def shape(self, module: str, side: int) -> tuple[int, ...]:
        """Shape of A (0) or B (1)."""
        return self.weights.entries[self.names[module][side]].shape

    def values(self, module: str, side: int) -> NDArray[np.float32]:
        """A, or B with its scale, rounded once more to binary32."""
        name = self.names[module][side]
        entry = self.weights.entries[name]
        stored = widen(self.weights.raw(name), entry.dtype).reshape(entry.shape)
        scaled: NDArray[np.float32] = stored * stored.dtype.type(self.scales[module])
        return scaled if side else stored


def open_adapter(directory: Path) -> Adapter:
    """E0001 for no directory, E0146 for one that holds no plain LoRA, E0124 for a pickle."""
    with readable(directory):
        if not directory.is_dir():
            raise UsageError(
                "E0001",
                "the adapter does not exist",
                file=directory,
                fix=f"Give a directory with {CONFIG} and {WEIGHTS}.",
            )
        config_path, weights_path = member(directory, CONFIG), member(directory, WEIGHTS)
        pickles = [p.name for p in directory.iterdir() if p.name.endswith(PICKLE_ENDINGS)]
    if weights_path is None and pickles:
        raise pickle_error(sorted(pickles), directory)
    if config_path is None or weights_path is None:
        missing = CONFIG if config_path is None else WEIGHTS
        raise unusable(f"{missing} is missing", directory)
    fields = Fields(read_json_object(config_path, CONFIG_CODES), config_path)
    _check_options(fields)
    weights = open_safetensors(weights_path)
    names = _names(weights, weights_path)
    ranks = {module: weights.entries[pair[0]].shape[0] for module, pair in names.items()}
    scales = {module: _scale(fields, module, rank) for module, rank in ranks.items()}
    return Adapter(config_path=config_path, weights=weights, names=names, scales=scales)


def unusable(what: str, file: Path, why: str = "") -> ModelError:
    """The error E0146."""
    return ModelError(
        "E0146", what, file=file, why=why, fix="Give a LoRA adapter that peft saved for this model."
    )


def _check_options(fields: Fields) -> None:
    kind = fields.text("peft_type", "LORA")
    if kind.upper() != "LORA":
        raise unusable(f"the adapter is of the type '{printable(kind)}'", fields.file, "read: LORA")
    for key, value in _PLAIN_OPTIONS.items():
        found = fields.get(key)
        if found not in (None, value, []):
            shown = printable(repr(found), 40)
            raise unusable(f"the adapter sets {key} to {shown}", fields.file, "no plain product")


def _names(weights: SafetensorsFile, path: Path) -> dict[str, tuple[str, str]]:
    """Names of both tensors by module, in the order of the file."""
    found: dict[str, dict[str, str]] = {}
    strangers = []
    for name, entry in weights.entries.items():
        parts = _TENSOR.fullmatch(name)
        if parts is None or entry.dtype not in FLOAT_DTYPES or len(entry.shape) != 2:
            strangers.append(name)
        else:
            found.setdefault(parts[1], {})[parts[2]] = name
    if strangers or not found:
        what = printable_list(strangers) if strangers else "nothing"
        raise unusable(f"the adapter holds {what}", path, "read: matrices lora_A and lora_B")
    pairs: dict[str, tuple[str, str]] = {}
    for module, sides in found.items():
        shapes = [weights.entries[sides[side]].shape for side in SIDES if side in sides]
        if len(shapes) < len(SIDES) or shapes[0][0] != shapes[1][1]:
            why = f"shapes {', '.join(str(list(shape)) for shape in shapes)}"
            raise unusable(f"lora_A and lora_B of '{printable(module)}' do not fit", path, why)
        pairs[module] = (sides["A"], sides["B"])
    return pairs


def _scale(fields: Fields, module: str, rank: int) -> float:
    """What B is multiplied by: lora_alpha / r, or / sqrt(r) for rank-stabilised LoRA."""
    alpha = _pattern_value(fields, "alpha_pattern", module, fields.real("lora_alpha", 8.0))
    return alpha / (math.sqrt(rank) if fields.flag("use_rslora", default=False) else rank)


def _pattern_value(fields: Fields, key: str, module: str, default: float) -> float:
    """A number for modules whose names end with a key of the table; other patterns are refused."""
    table = fields.table(key)
    for pattern in () if table is None else table.values:
        if not _PLAIN.fullmatch(pattern):
            shown = printable(pattern, 40)
            raise unusable(f"{key} has the pattern '{shown}'", fields.file, "read: names")
        if f".{module}".endswith(f".{pattern}") and table is not None:
            return table.real(pattern)
    return default
