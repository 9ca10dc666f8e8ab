"""open_checkpoint(): a Hugging Face directory or a GGUF file -> Checkpoint, checked on opening."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aretusa.errors import ModelError, UsageError
from aretusa.frontend.chat_template import directory_template, template_sha256
from aretusa.frontend.check_config import unsupported
from aretusa.frontend.check_values import LoadWarning, check_finite, find_oddity
from aretusa.frontend.fields import Fields
from aretusa.frontend.gguf_config import read_gguf_config, read_gguf_special_ids
from aretusa.frontend.gguf_file import GgufFile, open_gguf
from aretusa.frontend.gguf_store import open_gguf_store
from aretusa.frontend.hf_config import read_hf_config, read_special_ids
from aretusa.frontend.hf_store import PICKLE_ENDINGS, member, open_hf_store, pickle_error
from aretusa.frontend.json_text import CONFIG_CODES, read_json_object
from aretusa.frontend.mapped_file import map_file
from aretusa.frontend.printable import printable
from aretusa.frontend.tensor_shapes import EMBEDDING, HEAD, check_shapes, expected_shapes
from aretusa.frontend.tokenizer_source import (
    GgufTokenizerSource,
    HfTokenizerSource,
    TokenizerSource,
)

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.weights import StoredWeight

_HASH_STEP_BYTES = 2**22


class TensorStore(Protocol):
    """Tensors of a checkpoint under their Hugging Face names."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold the tensors."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every stored tensor."""

    def file_of(self, name: str) -> Path:
        """The file that holds a tensor."""

    def read(self, name: str) -> StoredWeight:
        """One tensor; its values are not checked yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model on disk whose structure has been checked; tensors are read one at a time."""

    path: Path
    kind: str  # "huggingface" or "gguf"
    config: LlamaConfig
    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]
    chat_template_sha256: str  # empty if there is no template; templates are never rendered
    config_files: tuple[Path, ...]
    store: TensorStore
    tokenizer: TokenizerSource | None
    warnings: list[LoadWarning] = field(default_factory=list)

    @property
    def name(self) -> str:
        """A short name for people: the directory's, or the file's without its ending."""
        path = self.path.resolve()
        return printable(path.name if self.kind == "huggingface" else path.stem)

    @property
    def has_chat_template(self) -> bool:
        """Whether the model comes with a chat template."""
        return bool(self.chat_template_sha256)

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """Names of the tensors that the model uses, in the order of the data flow."""
        return tuple(expected_shapes(self.config))

    @property
    def tokenizer_source(self) -> TokenizerSource:
        """Where the tokenizer is; E0220 if the checkpoint has none."""
        if self.tokenizer is None:
            raise ModelError(
                "E0220",
                "the checkpoint has no tokenizer",
                file=self.path,
                why="neither tokenizer.json nor tokenizer.ggml.tokens",
                fix="Save the tokenizer into the directory in the fast (tokenizer.json) form.",
            )
        return self.tokenizer

    def load(self, name: str) -> StoredWeight:
        """One tensor; E0110 if it is not finite; odd values are added to `warnings`."""
        file = self.store.file_of(name)
        weight = self.store.read(name)
        check_finite(name, weight, file)
        oddity = find_oddity(name, weight, file)
        if oddity is not None and oddity not in self.warnings:
            self.warnings.append(oddity)
        return weight

    def fingerprint(self) -> str:
        """SHA-256 over the contents of configuration and weight files, whatever their names."""
        digest = hashlib.sha256()
        for path in (*self.config_files, *self.store.files):
            mapped = map_file(path)
            digest.update(mapped.size_bytes.to_bytes(8, "little"))
            for begin in range(0, mapped.size_bytes, _HASH_STEP_BYTES):
                digest.update(mapped.data[begin : begin + _HASH_STEP_BYTES])
        return digest.hexdigest()


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a Hugging Face directory or a GGUF file and check everything but the values."""
    try:
        if path.is_dir():
            return _open_directory(path)
        if path.is_file():
            return _open_file(path)
    except OSError as error:
        raise ModelError(
            "E0100",
            "a file of the checkpoint cannot be read",
            file=path,
            why=str(error),
            fix="Check that the files exist and that you may read them.",
        ) from None
    raise UsageError(
        "E0001",
        "the checkpoint does not exist",
        file=path,
        fix="Give a directory with config.json and model.safetensors, or a GGUF file.",
    )


def _open_directory(directory: Path) -> Checkpoint:
    config_path = _config_path(directory)
    fields = Fields(read_json_object(config_path, CONFIG_CODES), config_path)
    config = read_hf_config(fields)
    generation_path = member(directory, "generation_config.json")
    generation = None
    if generation_path is not None:
        generation = Fields(read_json_object(generation_path, CONFIG_CODES), generation_path)
    ids = read_special_ids(fields, generation, config.vocab_size)
    store = open_hf_store(directory)
    check_shapes(store.shapes, config, config_path)
    if config.ties_embeddings and HEAD in store.shapes and not store.are_equal(HEAD, EMBEDDING):
        raise unsupported("a head is stored that differs from the tied embedding", config_path)
    tokenizer_path = member(directory, "tokenizer.json")
    return Checkpoint(
        path=directory,
        kind="huggingface",
        config=config,
        bos_token_id=ids.bos,
        eos_token_ids=ids.eos,
        chat_template_sha256=template_sha256(directory_template(directory)),
        config_files=tuple(p for p in (config_path, generation_path) if p is not None),
        store=store,
        tokenizer=None if tokenizer_path is None else HfTokenizerSource(tokenizer_path),
    )


def _config_path(directory: Path) -> Path:
    path = member(directory, "config.json")
    if path is None:
        raise ModelError(
            "E0200",
            "config.json is missing",
            file=directory,
            fix="Give the directory that transformers saved the model to, or a GGUF file.",
        )
    return path


def _open_file(path: Path) -> Checkpoint:
    if path.name.endswith(PICKLE_ENDINGS):
        raise pickle_error([path.name], path)
    if path.suffix in {".safetensors", ".json"}:
        raise UsageError(
            "E0001",
            "this is one file of a checkpoint",
            file=path,
            fix="Give the directory that holds config.json and the weights.",
        )
    file = open_gguf(path)
    config = read_gguf_config(file)
    ids = read_gguf_special_ids(file, config.vocab_size)
    store = open_gguf_store(file, config)
    check_shapes(store.shapes, config, path)
    return Checkpoint(
        path=path,
        kind="gguf",
        config=config,
        bos_token_id=ids.bos,
        eos_token_ids=ids.eos,
        chat_template_sha256=template_sha256(file.metadata.get("tokenizer.chat_template")),
        config_files=(),
        store=store,
        tokenizer=_gguf_tokenizer(file),
    )


def _gguf_tokenizer(file: GgufFile) -> GgufTokenizerSource | None:
    prefix = "tokenizer.ggml."
    values = {key: value for key, value in file.metadata.items() if key.startswith(prefix)}
    has_tokens = f"{prefix}tokens" in values
    return GgufTokenizerSource(values, file.mapped.path) if has_tokens else None
