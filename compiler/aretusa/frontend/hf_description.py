"""What a Hugging Face directory, or a config.json alone, says about a model beside its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.errors import ModelError
from aretusa.frontend.fields import Fields
from aretusa.frontend.hf_config import SpecialIds, read_hf_config, read_special_ids
from aretusa.frontend.hf_store import member
from aretusa.frontend.json_text import CONFIG_CODES, read_json_object
from aretusa.frontend.tokenizer_source import HfTokenizerSource

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.llama_config import LlamaConfig

CONFIG_FILE = "config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class HfDescription:
    """Configuration, special ids and where the tokenizer is; `files` hold the first two."""

    config: LlamaConfig
    ids: SpecialIds
    files: tuple[Path, ...]
    tokenizer: HfTokenizerSource | None


def describe_directory(directory: Path) -> HfDescription:
    """Everything that the directory says; E0200 if it has no config.json."""
    config_path = member(directory, CONFIG_FILE)
    if config_path is None:
        raise ModelError(
            "E0200",
            "config.json is missing",
            file=directory,
            fix="Give the directory that transformers saved the model to, or a GGUF file.",
        )
    generation_path = member(directory, "generation_config.json")
    tokenizer_path = member(directory, "tokenizer.json")
    tokenizer = None if tokenizer_path is None else HfTokenizerSource(tokenizer_path)
    return _describe(config_path, generation_path, tokenizer)


def describe_config(path: Path) -> HfDescription:
    """A configuration under any name, with nothing beside it."""
    return _describe(path, None, None)


def _describe(
    config_path: Path, generation_path: Path | None, tokenizer: HfTokenizerSource | None
) -> HfDescription:
    fields = Fields(read_json_object(config_path, CONFIG_CODES), config_path)
    config = read_hf_config(fields)
    generation = None
    if generation_path is not None:
        generation = Fields(read_json_object(generation_path, CONFIG_CODES), generation_path)
    return HfDescription(
        config=config,
        ids=read_special_ids(fields, generation, config.vocab_size),
        files=tuple(p for p in (config_path, generation_path) if p is not None),
        tokenizer=tokenizer,
    )
