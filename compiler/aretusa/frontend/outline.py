"""open_outline(): a model without its weights, from a config.json alone if need be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.hf_description import CONFIG_FILE, describe_config, describe_directory
from aretusa.frontend.mapped_file import readable
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aretusa.frontend.hf_description import HfDescription
    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.tokenizer_source import TokenizerSource
    from aretusa.frontend.weights import CodeForm


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutline:
    """Shapes, tokenizer and the `forms` of tensors that their maker quantised, by name."""

    path: Path
    kind: str  # "huggingface" or "gguf"
    name: str
    config: LlamaConfig
    eos_token_ids: tuple[int, ...]
    forms: Mapping[str, CodeForm]
    tokenizer: TokenizerSource | None


def open_outline(path: Path) -> ModelOutline:
    """Whatever open_checkpoint takes, a directory without weights, or a configuration file.

    Weight files of a directory are not looked at: their tensors can only be real numbers in the
    shapes of the configuration. A file named config.json stands for its directory.
    """
    with readable(path):
        home = path.parent if path.name == CONFIG_FILE and path.is_file() else path
        if home.is_dir():
            return _huggingface(home, home.resolve().name, describe_directory(home))
        if home.suffix == ".json" and home.is_file():
            return _huggingface(home, home.stem, describe_config(home))
    checkpoint = open_checkpoint(path)
    return ModelOutline(
        path=path,
        kind=checkpoint.kind,
        name=checkpoint.name,
        config=checkpoint.config,
        eos_token_ids=checkpoint.eos_token_ids,
        forms=checkpoint.store.forms,
        tokenizer=checkpoint.tokenizer,
    )


def _huggingface(path: Path, name: str, found: HfDescription) -> ModelOutline:
    return ModelOutline(
        path=path,
        kind="huggingface",
        name=printable(name),
        config=found.config,
        eos_token_ids=found.ids.eos,
        forms={},
        tokenizer=found.tokenizer,
    )
