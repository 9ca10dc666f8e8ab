"""The tokenizer of a checkpoint, wherever the checkpoint keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from aretusa.frontend.tokenizer_source import GgufTokenizerSource, HfTokenizerSource
from aretusa.tokenizer.read_gguf import read_gguf
from aretusa.tokenizer.read_hf import read_hf

if TYPE_CHECKING:
    from aretusa.frontend.tokenizer_source import TokenizerSource
    from aretusa.tokenizer.model import TokenizerModel


def read_tokenizer(source: TokenizerSource, *, eos_ids: tuple[int, ...] = ()) -> TokenizerModel:
    """Read it; `eos_ids` are the ids that end an answer (a GGUF file names its own)."""
    match source:
        case HfTokenizerSource(path=path):
            return read_hf(path, eos_ids=eos_ids)
        case GgufTokenizerSource(metadata=metadata, path=path):
            return read_gguf(metadata, file="the GGUF file" if path is None else str(path))
        case _:
            assert_never(source)
