"""find_model(): a directory, a GGUF file or a name of the hub -> the files to begin with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aretusa_compress.errors import ToolchainError, UsageError
from aretusa_compress.model.guard import check_directory

_HUB_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+")
_WANTED: Final = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A Hugging Face directory, or a GGUF file that has yet to be converted to one."""

    path: Path

    @property
    def is_gguf(self) -> bool:
        """Whether it is one file in the format of llama.cpp."""
        return self.path.is_file()


def find_model(name: str, revision: str | None = None) -> ModelFiles:
    """The checked files of a model. Raises E0001, E0503 and what check_directory raises."""
    path = Path(name)
    if path.is_dir():
        check_directory(path)
        return ModelFiles(path)
    if path.is_file() and path.suffix == ".gguf":
        return ModelFiles(path)
    if path.exists() or not _HUB_NAME.fullmatch(name):
        raise UsageError(
            "E0001",
            "there is no such model",
            file=name,
            fix="Give a Hugging Face directory, a GGUF file or a name of the hub (owner/model)",
        )
    return ModelFiles(_from_hub(name, revision))


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only for names of the hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    try:
        found = snapshot_download(name, revision=revision, allow_patterns=list(_WANTED))
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as problem:
        raise offline(f"the model '{name}'", problem) from problem
    path = Path(found)
    check_directory(path)
    return path


def offline(what: str, problem: Exception) -> ToolchainError:
    """The error for something of the hub that does not come."""
    return ToolchainError(
        "E0503",
        f"{what} is not to be had from the hub, and is not in its cache",
        why=" ".join(str(problem).split())[:200],
        fix="Go online (a licence may have to be accepted there), or name a local file instead",
    )
