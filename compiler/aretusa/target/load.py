"""Target file -> Target, with errors that name the key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from aretusa.errors import UsageError
from aretusa.target.description import Memory, MemoryId, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILT_IN: Final = ("siracusa",)


class _MemoryEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    size_bytes: PositiveInt
    reserved_bytes: int
    source: str


class _TargetFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    cores: PositiveInt
    memory: dict[str, _MemoryEntry]


def load_target(name_or_path: str = "siracusa") -> Target:
    """A built-in target by name, or a target file by path."""
    path = Path(name_or_path)
    if name_or_path in BUILT_IN:
        path = Path(__file__).with_name(f"{name_or_path}.toml")
    try:
        return _target(_TargetFile.model_validate(tomllib.loads(path.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise _error(path, str(problem)) from problem
    except ValidationError as problem:
        first = problem.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise _error(path, f"{key}: {first['msg']}") from problem


def _target(file: _TargetFile) -> Target:
    entries: Mapping[str, _MemoryEntry] = file.memory
    names = {memory.key for memory in MemoryId}
    if set(entries) != names:
        raise _error(file.name, f"memories {sorted(entries)}, expected {sorted(names)}")
    return Target(
        name=file.name,
        cores=file.cores,
        memories=tuple(
            Memory(id=memory, **entries[memory.key].model_dump()) for memory in MemoryId
        ),
    )


def _error(path: Path | str, why: str) -> UsageError:
    return UsageError(
        "E0301",
        "the target description is not usable",
        file=path,
        why=why,
        fix=f"Name a built-in target ({', '.join(BUILT_IN)}) or correct the file",
    )
