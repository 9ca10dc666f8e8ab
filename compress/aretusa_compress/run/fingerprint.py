"""What a stage depends on, as one document and its SHA-256."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# Packages that results of every stage depend on, this one with its algorithms among them.
LIBRARIES: Final = ("aretusa", "torch", "transformers", "tokenizers", "safetensors")
_AT_ONCE_BYTES: Final = 1 << 20


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_AT_ONCE_BYTES):
            digest.update(part)
    return digest.hexdigest()


def file_digests(directory: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """SHA-256 by name, of some files or of all that lie in a directory."""
    chosen = sorted(p.name for p in directory.iterdir() if p.is_file()) if names is None else names
    return {name: file_digest(directory / name) for name in sorted(chosen)}


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """SHA-256 of a document, however its keys are ordered."""
    return text_digest(json.dumps(inputs, sort_keys=True, ensure_ascii=True))


def library_versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Versions of the libraries that results depend on, without the label of a build (+cpu)."""
    found = {}
    for name in (*LIBRARIES, *more):
        try:
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def differences(old: object, new: object, path: str = "") -> Iterator[str]:
    """Dotted names of what differs between two documents, with old and new value where short."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            below = f"{path}.{key}" if path else str(key)
            yield from differences(old.get(key), new.get(key), below)
    elif old != new:
        shown = f" ({old} -> {new})" if len(f"{old}{new}") <= 40 else ""
        yield f"{path}{shown}"
