"""declared_forms(): how matrices of codes are stored, from a configuration without its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.errors import ModelError
from aretusa.frontend.code_tensors import stored_zero
from aretusa.frontend.gptq import form_of_groups
from aretusa.frontend.structure import WEIGHT
from aretusa.frontend.tensor_shapes import HEAD, expected_shapes, linear_modules
from aretusa.frontend.weights import CodeForm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aretusa.frontend.compression_config import CompressionConfig, GptqConfig
    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.structure import ModelStructure


def declared_forms(
    config: LlamaConfig,
    structure: ModelStructure,
    compression: CompressionConfig,
    config_path: Path,
) -> dict[str, CodeForm]:
    """By the name of the tensor that the codes stand for; GPTQ leaves head and embedding alone."""
    forms = {
        module + WEIGHT: CodeForm(bits=bits, group=0, zero=stored_zero(bits))
        for module, bits in compression.bits.items()
    }
    if compression.gptq is not None:
        forms |= _gptq_forms(config, structure, compression.gptq, config_path)
    return forms


def _gptq_forms(
    config: LlamaConfig, structure: ModelStructure, gptq: GptqConfig, config_path: Path
) -> dict[str, CodeForm]:
    if gptq.is_mixed:
        raise ModelError(
            "E0140",
            "the widths of single matrices (dynamic) are seen in the weight files",
            file=config_path,
            why="there are none beside the configuration",
            fix="Give the directory with its weights.",
        )
    return dict(_forms(config, structure, gptq))


def _forms(
    config: LlamaConfig, structure: ModelStructure, gptq: GptqConfig
) -> Iterator[tuple[str, CodeForm]]:
    shapes = expected_shapes(config, structure)
    for module in linear_modules(config, structure):
        name = module + WEIGHT
        if name != HEAD and name in shapes:
            depth = shapes[name][1]
            size = depth if gptq.group_size == -1 else min(gptq.group_size, depth)
            yield name, form_of_groups(gptq.bits, size, depth, is_symmetric=gptq.is_symmetric)
