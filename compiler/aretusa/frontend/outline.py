"""open_outline(): a model without its weights, from a config.json alone if need be."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.errors import AretusaError
from aretusa.frontend.adapted_store import with_adapter
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.compressed_store import compressed_store
from aretusa.frontend.declared_forms import declared_forms
from aretusa.frontend.find_structure import declared_structure, find_structure
from aretusa.frontend.hf_description import CONFIG_FILE, describe_config, describe_directory
from aretusa.frontend.hf_store import open_hf_store
from aretusa.frontend.mapped_file import readable
from aretusa.frontend.peft_adapter import open_adapter
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aretusa.frontend.hf_description import HfDescription
    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.structure import ModelStructure
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
    structure: ModelStructure
    forms: Mapping[str, CodeForm]
    tokenizer: TokenizerSource | None


def open_outline(path: Path, adapter: Path | None = None) -> ModelOutline:
    """Whatever open_checkpoint takes, a directory without weights, or a configuration file.

    Of the weight files of a directory the headers are read, which tell how matrices are compressed;
    where there are none that can be read, the configuration alone says it. A file named config.json
    stands for its directory. `adapter` is as for open_checkpoint.
    """
    outline = _open(path)
    if adapter is None:
        return outline
    structure = with_adapter(outline.structure, open_adapter(adapter), outline.config)
    return replace(outline, structure=structure)


def _open(path: Path) -> ModelOutline:
    with readable(path):
        home = path.parent if path.name == CONFIG_FILE and path.is_file() else path
        if home.is_dir():
            return _directory(home)
        if home.suffix == ".json" and home.is_file():
            return _configuration(home, home.stem, describe_config(home))
    checkpoint = open_checkpoint(path)
    return ModelOutline(
        path=path,
        kind=checkpoint.kind,
        name=checkpoint.name,
        config=checkpoint.config,
        structure=checkpoint.structure,
        eos_token_ids=checkpoint.eos_token_ids,
        forms=checkpoint.store.forms,
        tokenizer=checkpoint.tokenizer,
    )


def _directory(home: Path) -> ModelOutline:
    name, found = home.resolve().name, describe_directory(home)
    raw = None
    with suppress(AretusaError):
        raw = open_hf_store(home)
    if raw is None:
        return _configuration(home, name, found)
    store = compressed_store(raw, found.config, found.compression, found.files[0])
    structure = find_structure(found.config, found.compression, store.shapes, found.files[0])
    return _huggingface(home, name, found, structure, store.forms)


def _configuration(path: Path, name: str, found: HfDescription) -> ModelOutline:
    """What a configuration without weights says."""
    structure = declared_structure(found.config, found.compression, found.files[0])
    forms = declared_forms(found.config, structure, found.compression, found.files[0])
    return _huggingface(path, name, found, structure, forms)


def _huggingface(
    path: Path,
    name: str,
    found: HfDescription,
    structure: ModelStructure,
    forms: Mapping[str, CodeForm],
) -> ModelOutline:
    return ModelOutline(
        path=path,
        kind="huggingface",
        name=printable(name),
        config=found.config,
        structure=structure,
        eos_token_ids=found.ids.eos,
        forms=forms,
        tokenizer=found.tokenizer,
    )
