"""open_checkpoint(): a Hugging Face directory or a GGUF file -> Checkpoint, checked on opening."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from aretusa.errors import ModelError, UsageError
from aretusa.frontend.adapted_store import AdaptedStore, branches_of, with_adapter
from aretusa.frontend.chat_template import directory_template, template_sha256
from aretusa.frontend.check_config import unsupported
from aretusa.frontend.check_values import LoadWarning, check_finite, find_oddity
from aretusa.frontend.compressed_store import compressed_store
from aretusa.frontend.find_structure import find_structure
from aretusa.frontend.gguf_config import read_gguf_config, read_gguf_special_ids
from aretusa.frontend.gguf_file import GgufFile, open_gguf
from aretusa.frontend.gguf_store import open_gguf_store
from aretusa.frontend.hf_description import describe_directory
from aretusa.frontend.hf_store import PICKLE_ENDINGS, open_hf_store, pickle_error
from aretusa.frontend.mapped_file import map_file, readable
from aretusa.frontend.peft_adapter import open_adapter
from aretusa.frontend.printable import printable
from aretusa.frontend.structure import plain_structure
from aretusa.frontend.tensor_shapes import EMBEDDING, HEAD, check_shapes, expected_shapes
from aretusa.frontend.tokenizer_source import GgufTokenizerSource, TokenizerSource

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.structure import ModelStructure
    from aretusa.frontend.weights import CodeForm, StoredWeight

_HASH_STEP_BYTES = 2**22


class TensorStore(Protocol):
    """Tensors of a checkpoint under their Hugging Face names."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold the tensors."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every stored tensor."""

    @property
    def forms(self) -> dict[str, CodeForm]:
        """Form of every tensor that its maker quantised; the others are real numbers."""

    @property
    def labels(self) -> dict[str, str]:
        """What the checkpoint holds of each of those tensors, in words."""

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
    structure: ModelStructure
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
        return tuple(expected_shapes(self.config, self.structure))

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


def open_checkpoint(path: Path, adapter: Path | None = None) -> Checkpoint:
    """Open a Hugging Face directory or a GGUF file and check everything but the values.

    `adapter` is a directory that peft wrote for the model.
    """
    checkpoint = _open(path)
    if adapter is None:
        return checkpoint
    branches = open_adapter(adapter)
    return replace(
        checkpoint,
        structure=with_adapter(checkpoint.structure, branches, checkpoint.config),
        store=AdaptedStore(checkpoint.store, branches, branches_of(branches)),
    )


def _open(path: Path) -> Checkpoint:
    with readable(path):
        if path.is_dir():
            return _open_directory(path)
        if path.is_file():
            return _open_file(path)
    raise UsageError(
        "E0001",
        "the checkpoint does not exist",
        file=path,
        fix="Give a directory with config.json and model.safetensors, or a GGUF file.",
    )


def _open_directory(directory: Path) -> Checkpoint:
    found = describe_directory(directory)
    config, config_path = found.config, found.files[0]
    store = compressed_store(open_hf_store(directory), config, found.compression, config_path)
    structure = find_structure(config, found.compression, store.shapes, config_path)
    check_shapes(store.shapes, config, config_path, structure)
    if config.ties_embeddings and HEAD in store.shapes and not store.are_equal(HEAD, EMBEDDING):
        raise unsupported("a head is stored that differs from the tied embedding", config_path)
    return Checkpoint(
        path=directory,
        kind="huggingface",
        config=config,
        structure=structure,
        bos_token_id=found.ids.bos,
        eos_token_ids=found.ids.eos,
        chat_template_sha256=template_sha256(directory_template(directory)),
        config_files=found.files,
        store=store,
        tokenizer=found.tokenizer,
    )


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
        structure=plain_structure(config.layers),
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
