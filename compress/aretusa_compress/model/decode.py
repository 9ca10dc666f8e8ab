"""decoded(): quantised tensors as the float weights that they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from aretusa_compress.errors import ModelError
from aretusa_compress.model.forms import CODES, SCALES
from aretusa_compress.model.gptq_words import unpack_gptq

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor

WORDS: Final = ".qweight"
_WORD_PARTS: Final = ("qweight", "qzeros", "scales", "g_idx")
QUANTISED: Final = (CODES, WORDS)  # endings of tensors that are no float weights


def is_quantised(names: Iterable[str]) -> bool:
    """Whether some tensors of a checkpoint are codes or packed words."""
    return any(name.endswith(QUANTISED) for name in names)


def decoded(tensors: dict[str, Tensor], config: Mapping[str, Any], file: Path) -> dict[str, Tensor]:
    """The tensors with `M.weight` in the place of codes, or of GPTQ's words, of a matrix M.

    Raises ModelError E0202 where parts of a matrix are missing or do not fit each other.
    """
    result = dict(tensors)
    for name in sorted(tensors):
        if name.endswith(CODES):
            module = name.removesuffix(CODES)
            result[f"{module}.weight"] = _from_codes(result, module, file)
        elif name.endswith(WORDS):
            module = name.removesuffix(WORDS)
            result[f"{module}.weight"] = _from_words(result, module, config, file)
    return result


def _from_codes(tensors: dict[str, Tensor], module: str, file: Path) -> Tensor:
    """Weight = code * scale of its row."""
    codes = tensors.pop(module + CODES)
    scales = tensors.pop(module + SCALES, None)
    if scales is None or scales.shape != codes.shape[:1]:
        raise _torn(file, f"{module} has codes but no scale for each of {codes.shape[0]} rows")
    return codes.to(torch.float32) * scales.to(torch.float32)[:, None]


def _from_words(
    tensors: dict[str, Tensor], module: str, config: Mapping[str, Any], file: Path
) -> Tensor:
    words = {part: tensors.pop(f"{module}.{part}", None) for part in _WORD_PARTS}
    found = {part: words_of for part, words_of in words.items() if words_of is not None}
    if len(found) < len(words):
        missing = ", ".join(sorted(words.keys() - found.keys()))
        raise _torn(file, f"{module} has words of GPTQ but no {missing}")
    try:
        return unpack_gptq(found, config.get("quantization_config") or {})
    except (KeyError, ValueError, RuntimeError, IndexError) as problem:
        raise _torn(file, f"{module} cannot be unpacked: {problem}") from problem


def _torn(file: Path, what: str) -> ModelError:
    return ModelError("E0202", what, file=file, fix="Write the checkpoint again")
