"""open_shapes(): what a plan needs of a model, without reading its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.frontend.outline import open_outline
from aretusa.frontend.tensor_shapes import parameter_count
from aretusa.quantization.policy import Policy
from aretusa.quantization.store import DeclaredWeights
from aretusa.tokenizer.image import tokenizer_image
from aretusa.tokenizer.image_estimate import estimated_image_bytes
from aretusa.tokenizer.read import read_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.structure import ModelStructure
    from aretusa.frontend.weights import CodeForm
    from aretusa.quantization.schemes import Scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapesOnly:
    """A model without its weights; `forms` are those of matrices that their maker quantised.

    `tokenizer_bytes` is the size of the tokenizer's image, estimated if no tokenizer is there.
    """

    path: Path
    kind: str  # "huggingface" or "gguf"
    name: str
    config: LlamaConfig
    structure: ModelStructure
    parameters: int
    forms: Mapping[str, CodeForm]
    tokenizer_bytes: int
    tokenizer_is_estimated: bool

    def weights(
        self, scheme: Scheme, policy: Policy | None = None, *, requantises: bool = False
    ) -> DeclaredWeights:
        """The types that a QuantisedCheckpoint with the same arguments declares."""
        return DeclaredWeights(
            scheme=scheme,
            policy=Policy() if policy is None else policy,
            forms={} if requantises else self.forms,
            sparsity=self.structure.sparsity,
        )


def open_shapes(path: Path, adapter: Path | None = None) -> ShapesOnly:
    """A config.json, a directory that holds one, with or without weights, or a GGUF file.

    `adapter` is a directory that peft wrote for the model.
    """
    outline = open_outline(path, adapter)
    if outline.tokenizer is None:
        tokenizer_bytes = estimated_image_bytes(outline.config)
    else:
        tokenizer = read_tokenizer(outline.tokenizer, eos_ids=outline.eos_token_ids)
        tokenizer_bytes = len(tokenizer_image(tokenizer))
    return ShapesOnly(
        path=outline.path,
        kind=outline.kind,
        name=outline.name,
        config=outline.config,
        structure=outline.structure,
        parameters=parameter_count(outline.config, outline.structure),
        forms=outline.forms,
        tokenizer_bytes=tokenizer_bytes,
        tokenizer_is_estimated=outline.tokenizer is None,
    )
