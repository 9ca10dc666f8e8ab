"""The tokenizer of a checkpoint, and its copy in a build directory for the host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, assert_never

from aretusa.frontend.tokenizer_source import GgufTokenizerSource, HfTokenizerSource
from aretusa.tokenizer import read
from aretusa.tokenizer.read_gguf import read_gguf
from aretusa.tokenizer.read_hf import parse_hf

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.checkpoint import Checkpoint
    from aretusa.frontend.tokenizer_source import TokenizerSource
    from aretusa.tokenizer.model import TokenizerModel

HF_FILE: Final = "tokenizer.json"
GGUF_FILE: Final = "tokenizer_gguf.json"


def read_tokenizer(checkpoint: Checkpoint) -> TokenizerModel:
    """The tokenizer as tables."""
    return read.read_tokenizer(checkpoint.tokenizer_source, eos_ids=checkpoint.eos_token_ids)


def copy_tokenizer(source: TokenizerSource, directory: Path) -> None:
    """Keep the tokenizer's own description in a build directory."""
    match source:
        case HfTokenizerSource(path=path):
            (directory / HF_FILE).write_bytes(path.read_bytes())
        case GgufTokenizerSource(metadata=metadata):
            text = json.dumps(dict(metadata), sort_keys=True, ensure_ascii=True)
            (directory / GGUF_FILE).write_text(text, "utf-8")
        case _:
            assert_never(source)


def read_copied_tokenizer(directory: Path, eos_ids: tuple[int, ...]) -> TokenizerModel:
    """The tokenizer that copy_tokenizer kept."""
    path = directory / GGUF_FILE
    if path.is_file():
        return read_gguf(json.loads(path.read_text("utf-8")), file=str(path))
    return parse_hf((directory / HF_FILE).read_bytes(), file=HF_FILE, eos_ids=eos_ids)
