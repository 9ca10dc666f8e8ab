"""What a Hugging Face directory, or a config.json alone, says about a model beside its weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.errors import ModelError
from aretusa.frontend.compression_config import read_compression, read_gptq_config
from aretusa.frontend.fields import Fields
from aretusa.frontend.hf_config import SpecialIds, read_hf_config, read_special_ids
from aretusa.frontend.hf_store import member
from aretusa.frontend.json_text import CONFIG_CODES, read_json_object
from aretusa.frontend.tokenizer_source import HfTokenizerSource

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.compression_config import CompressionConfig
    from aretusa.frontend.llama_config import LlamaConfig

CONFIG_FILE = "config.json"
GPTQ_FILE = "quantize_config.json"  # where AutoGPTQ wrote what config.json has no room for


@dataclass(frozen=True, slots=True, kw_only=True)
class HfDescription:
    """Configuration, special ids and where the tokenizer is; `files` hold all but the last."""

    config: LlamaConfig
    compression: CompressionConfig
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
    found = _describe(config_path, generation_path, tokenizer)
    options_path = member(directory, GPTQ_FILE)
    if found.compression.gptq is not None or options_path is None:
        return found
    options = Fields(read_json_object(options_path, CONFIG_CODES), options_path)
    compression = replace(found.compression, gptq=read_gptq_config(options))
    return replace(found, compression=compression, files=(*found.files, options_path))


def describe_config(path: Path) -> HfDescription:
    """A configuration under any name, with nothing beside it."""
    return _describe(path, None, None)


def _describe(
    config_path: Path, generation_path: Path | None, tokenizer: HfTokenizerSource | None
) -> HfDescription:
    fields = Fields(read_json_object(config_path, CONFIG_CODES), config_path)
    compression = read_compression(fields)
    config = read_hf_config(fields, compression.layers)
    generation = None
    if generation_path is not None:
        generation = Fields(read_json_object(generation_path, CONFIG_CODES), generation_path)
    return HfDescription(
        config=config,
        compression=compression,
        ids=read_special_ids(fields, generation, config.vocab_size),
        files=tuple(p for p in (config_path, generation_path) if p is not None),
        tokenizer=tokenizer,
    )
