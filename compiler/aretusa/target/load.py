"""Target file -> Target, with errors that name the key."""

from __future__ import annotations

import difflib
import math
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

from aretusa.errors import UsageError
from aretusa.neureka.timing import NeurekaTiming
from aretusa.target.description import (
    Clock,
    Cluster,
    Confidence,
    Contention,
    Control,
    Core,
    Dma,
    EngineFeatures,
    Fact,
    Kernels,
    LinearControl,
    Memory,
    MemoryId,
    OffChipLink,
    Offload,
    Target,
)
from aretusa.target.energy import Energy, Ranged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BUILT_IN: Final = ("siracusa", "siracusa-xpulp", "siracusa-1gib")
FILE_BYTES_MAX: Final = 1 << 20
_SECTIONS: Final = {
    "cluster": Cluster,
    "core": Core,
    "dma": Dma,
    "off_chip": OffChipLink,
    "offload": Offload,
    "control": Control,
    "control_units": LinearControl,
    "control_token": LinearControl,
    "contention": Contention,
    "clock": Clock,
    "neureka": NeurekaTiming,
    "neureka_features": EngineFeatures,
}
_ENTRY_KEYS: Final = ("value", "confidence", "source")
_RANGED_KEYS: Final = ("value", "low", "high", "confidence", "source")

Record = TypeVar("Record")


def load_target(name_or_path: str = "siracusa") -> Target:
    """A built-in target by name, or a target file by path; E0301 names the key that is wrong."""
    path = target_path(name_or_path)
    return _Reader(path).target(_document(path))


def target_path(name_or_path: str) -> Path:
    """The file of a target."""
    if name_or_path in BUILT_IN:
        return Path(__file__).with_name(f"{name_or_path}.toml")
    return Path(name_or_path)


def _document(path: Path) -> dict[str, Any]:
    """A file with the facts of its base, which may have a base too."""
    document = _read(path)
    base = document.pop("base", None)
    if base is None:
        return document
    if base not in BUILT_IN:
        raise _error(path, f"base = {base!r} is not a built-in target")
    return _overlay(_document(target_path(base)), document)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        if len(data) > FILE_BYTES_MAX:
            raise _error(path, f"the file has {len(data):,} bytes")
        return tomllib.loads(data.decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as problem:
        raise _error(path, str(problem)) from problem


def _overlay(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The base with every fact that the variant names replaced."""
    merged = dict(base)
    for key, value in changes.items():
        known = base.get(key)
        is_section = isinstance(known, dict) and isinstance(value, dict) and "value" not in value
        merged[key] = _overlay(known, value) if is_section and known is not None else value
    return merged


class _Reader:
    """Turns one document into a Target and collects its facts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: list[Fact] = []

    def target(self, given: Mapping[str, Any]) -> Target:
        document = {"kernels": Kernels.PORTABLE.value, **given}
        self.check_keys("", document, ("name", "kernels", "memory", *_SECTIONS, "energy"))
        name = document["name"]
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 64:
            raise _error(self.path, "name: not a short text")
        self.check_keys("memory", document["memory"], [memory.key for memory in MemoryId])
        memories = tuple(self.memory(memory, document["memory"][memory.key]) for memory in MemoryId)
        sections: dict[str, Any] = {
            key: self.record(kind, key, document[key]) for key, kind in _SECTIONS.items()
        }
        energy = self.energy(document["energy"])
        facts = tuple(self.facts)
        return Target(
            name=name,
            kernels=self.kernels(document["kernels"]),
            memories=memories,
            energy=energy,
            facts=facts,
            **sections,
        )

    def kernels(self, name: object) -> Kernels:
        if name not in [kernels.value for kernels in Kernels]:
            known = " or ".join(f'"{kernels.value}"' for kernels in Kernels)
            raise _error(self.path, f"kernels = {name!r} is not {known}")
        return Kernels(name)

    def memory(self, memory: MemoryId, section: Mapping[str, Any]) -> Memory:
        key = f"memory.{memory.key}"
        found = self.record(Memory, key, section, id=memory)
        if found.size_bytes <= 0 or found.size_bytes % 32:
            raise _error(self.path, f"{key}.size_bytes: not a positive multiple of 32")
        if found.reserved_bytes > found.size_bytes:
            raise _error(self.path, f"{key}.reserved_bytes: more than the memory has")
        return found

    def energy(self, section: Mapping[str, Any]) -> Energy:
        kinds = get_type_hints(Energy)
        self.check_keys("energy", section, kinds)
        records = {
            name: self.record(kind, f"energy.{name}", section[name]) for name, kind in kinds.items()
        }
        return Energy(**records)

    def record(
        self, kind: type[Record], key: str, section: Mapping[str, Any], **known: object
    ) -> Record:
        names = [field.name for field in fields(kind) if field.name not in known]  # type: ignore[arg-type]
        self.check_keys(key, section, names)
        ranged = {field.name for field in fields(kind) if field.type == "Ranged"}  # type: ignore[arg-type]
        values = {
            name: (self.ranged if name in ranged else self.fact)(f"{key}.{name}", section[name])
            for name in names
        }
        whole = {field.name for field in fields(kind) if field.type == "int"}  # type: ignore[arg-type]
        for name in whole & values.keys():
            if not isinstance(values[name], int):
                raise _error(self.path, f"{key}.{name}.value: not a whole number")
        return kind(**known, **values)

    def fact(self, key: str, entry: object) -> int | float:
        """One number with source and confidence; sizes and counts are whole and not negative."""
        found = self.entry(key, entry, _ENTRY_KEYS)
        value = self.number(f"{key}.value", found["value"])
        self.keep(key, found, value=value)
        return value

    def ranged(self, key: str, entry: object) -> Ranged:
        """A number that is known within low .. high."""
        found = self.entry(key, entry, _RANGED_KEYS)
        value, low, high = (
            float(self.number(f"{key}.{name}", found[name])) for name in ("value", "low", "high")
        )
        if not low <= value <= high < math.inf:
            raise _error(self.path, f"{key}: low, value and high do not follow each other")
        self.keep(key, found, value=value, low=low, high=high)
        return Ranged(value=value, low=low, high=high)

    def entry(self, key: str, entry: object, names: tuple[str, ...]) -> dict[str, Any]:
        """The table of one number."""
        if not isinstance(entry, dict):
            raise _error(self.path, f"{key}: expected {{ {', '.join(names)} }}")
        self.check_keys(key, entry, names)
        return entry

    def number(self, key: str, value: object) -> int | float:
        """Not negative."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _error(self.path, f"{key}: not a number")
        if value < 0:
            raise _error(self.path, f"{key}: negative")
        return value

    def keep(self, key: str, entry: Mapping[str, Any], **numbers: float) -> None:
        """The fact with its source and confidence."""
        source = entry["source"]
        if not isinstance(source, str) or not source.strip():
            raise _error(self.path, f"{key}.source: empty")
        try:
            confidence = Confidence(entry["confidence"])
        except ValueError:
            choices = ", ".join(one.value for one in Confidence)
            raise _error(self.path, f"{key}.confidence: not one of {choices}") from None
        self.facts.append(Fact(key=key, source=source, confidence=confidence, **numbers))

    def check_keys(self, key: str, section: object, names: Iterable[str]) -> None:
        """Every name is there and nothing else; a misspelt key gets a suggestion."""
        expected = list(names)
        if not isinstance(section, dict):
            raise _error(self.path, f"{key or 'the file'}: not a table")
        prefix = f"{key}." if key else ""
        for name in section:
            if name not in expected:
                close = difflib.get_close_matches(str(name), expected, n=1)
                hint = f", did you mean {close[0]!r}?" if close else ""
                raise _error(self.path, f"unknown key {prefix}{name}{hint}")
        for name in expected:
            if name not in section:
                raise _error(self.path, f"missing key {prefix}{name}")


def _error(path: Path | str, why: str) -> UsageError:
    return UsageError(
        "E0301",
        "the target description is not usable",
        file=path,
        why=why,
        fix=f"Name a built-in target ({', '.join(BUILT_IN)}) or correct the file",
    )
