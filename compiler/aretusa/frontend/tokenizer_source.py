"""Where the tokenizer of a checkpoint is; reading it is the tokenizer package's work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MetadataScalar = str | int | float | bool
MetadataValue = MetadataScalar | list[MetadataScalar]


@dataclass(frozen=True, slots=True)
class HfTokenizerSource:
    """A `tokenizer.json` file."""

    path: Path


@dataclass(frozen=True, slots=True)
class GgufTokenizerSource:
    """The `tokenizer.ggml.*` values of a GGUF file under their full keys."""

    metadata: Mapping[str, MetadataValue]
    path: Path | None = None


TokenizerSource = HfTokenizerSource | GgufTokenizerSource
