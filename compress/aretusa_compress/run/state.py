"""StageState: what a stage keeps while it works, so that a kill costs it little."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

_OWNER: Final = "fingerprint"


def sync(path: Path) -> None:
    """Let a file or a directory reach the disk before anything that is written later."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file so that there is always the old one or the new one, whole."""
    part = path.with_name(f"{path.name}.part")
    write(part)
    sync(part)
    part.replace(path)


class StageState:
    """Files in a directory that belong to one fingerprint; those of another one are thrown away."""

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self.directory = directory
        owner = directory / _OWNER
        if not owner.is_file() or owner.read_text() != fingerprint:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            replace_file(owner, lambda part: part.write_text(fingerprint))

    def read_json(self, name: str) -> Any:  # noqa: ANN401
        """A document that write_json kept, or None."""
        path = self.directory / f"{name}.json"
        return json.loads(path.read_text("utf-8")) if path.is_file() else None

    def write_json(self, name: str, document: object) -> None:
        """Keep a document; floats come back as they were, to the last bit."""
        text = json.dumps(document)
        replace_file(self.directory / f"{name}.json", lambda part: part.write_text(text))

    def read_tensors(self, name: str) -> dict[str, Tensor] | None:
        """Tensors that write_tensors kept, or None."""
        from safetensors.torch import load_file  # noqa: PLC0415 - loads torch

        path = self.directory / f"{name}.safetensors"
        return load_file(path) if path.is_file() else None

    def write_tensors(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Keep tensors."""
        from safetensors.torch import save_file  # noqa: PLC0415 - loads torch

        path = self.directory / f"{name}.safetensors"
        replace_file(path, lambda part: save_file(tensors, part))

    def discard(self) -> None:
        """Throw everything away: the stage is done."""
        shutil.rmtree(self.directory, ignore_errors=True)
