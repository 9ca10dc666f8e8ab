"""read_recipe(): a file or a published preset, with single values changed -> Recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aretusa_compress.errors import UsageError
from aretusa_compress.recipe.presets import PRESETS, preset_document
from aretusa_compress.recipe.schema import STAGE_OPTIONS, Recipe, StageEntry
from aretusa_compress.recipe.validate import suggestion, validated
from aretusa_compress.recipe.yaml_file import parse_yaml, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable


def read_recipe(name: str, changes: Iterable[str] = ()) -> Recipe:
    """The recipe of a YAML file or of a preset; `changes` are lines such as `seed=1`.

    Raises UsageError: E0001 without such a file, E0500, E0501, E0502.
    """
    return changed_recipe(read_document(name), changes, name)


def read_document(name: str) -> dict[str, Any]:
    """A recipe as it is written; raises as `read_recipe`, but does not look inside."""
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        if not path.is_file():
            raise UsageError("E0001", "there is no such recipe", file=path, fix="Give another path")
        document = read_yaml(path)
    else:
        document = _preset(name)
    if not isinstance(document, dict):
        raise UsageError("E0501", "a recipe is a mapping", file=name, fix="Begin with model: ...")
    return document


def changed_recipe(document: dict[str, Any], changes: Iterable[str], name: str) -> Recipe:
    """The checked recipe of a document in which `changes` set single values."""
    for change in changes:
        _change(document, change)
    return parse_recipe(document, name)


def parse_recipe(document: Mapping[str, Any], file: Path | str) -> Recipe:
    """The checked recipe of a document. Raises UsageError E0501."""
    entries = document.get("stages")
    if not isinstance(entries, list):
        raise UsageError(
            "E0501", "stages is missing or no list", file=file, fix="Write stages: [...]"
        )
    stages = tuple(_stage(entry, index, file) for index, entry in enumerate(entries, 1))
    return validated(Recipe, {**document, "stages": stages}, file=file)


def _preset(name: str) -> dict[str, Any]:
    if name in PRESETS:
        return preset_document(name)
    close = suggestion(name, PRESETS)
    hint = close if close.startswith("did") else "see aretusa compress --list-presets"
    raise UsageError(
        "E0502", f"there is neither a preset nor a file '{name}', {hint}", fix="Name one"
    )


def _stage(entry: object, index: int, file: Path | str) -> StageEntry:
    if isinstance(entry, str):  # a stage with nothing but defaults
        entry = {entry: {}}
    if not isinstance(entry, Mapping) or len(entry) != 1:
        what = f"stage {index} is no mapping from one name to options"
        raise UsageError("E0501", what, file=file, fix="Write it as - depth: {remove: 2}")
    name, values = next(iter(entry.items()))
    if name not in STAGE_OPTIONS:
        what = f"unknown stage '{name}', {suggestion(str(name), STAGE_OPTIONS)}"
        raise UsageError("E0501", what, file=file, fix="Correct stages in the recipe")
    options = validated(
        STAGE_OPTIONS[name], values or {}, file=file, place=f"stages[{index}].{name}"
    )
    return StageEntry(name=name, options=options)


def _change(document: dict[str, Any], change: str) -> None:
    """Set one value: `data.calibration.samples=8`; stages count from one: `stages.1.remove=3`."""
    path, sign, text = change.partition("=")
    keys = path.split(".")
    if not sign or not all(keys):
        raise UsageError("E0003", f"'{change}' is not KEY=VALUE", fix="Write --set seed=1")
    place: Any = document
    for key in keys[:-1]:
        place = _below(place, key, change)
    if not isinstance(place, dict):
        raise UsageError("E0003", f"'{change}' leads to no mapping", fix="Name a key of the recipe")
    place[keys[-1]] = parse_yaml(text, f"--set {path}")


def _below(place: Any, key: str, change: str) -> Any:  # noqa: ANN401
    if isinstance(place, dict):
        if place.get(key) is None:
            place[key] = {}
        return place[key]
    if isinstance(place, list) and key.isdigit() and 1 <= int(key) <= len(place):
        entry = place[int(key) - 1]
        if isinstance(entry, str):
            place[int(key) - 1] = entry = {entry: {}}
        return next(iter(entry.values())) if isinstance(entry, dict) and len(entry) == 1 else entry
    raise UsageError(
        "E0003", f"'{change}' leads nowhere at '{key}'", fix="Name a key of the recipe"
    )
