"""validated(): a record of options from a document, or an error that names key and remedy."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from aretusa_compress.errors import UsageError
from aretusa_compress.recipe.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic_core import ErrorDetails

SHOWN: Final = 3  # problems of one recipe that an error lists
_FIX: Final = "Correct the recipe; docs/compress.md lists the keys"

Record = TypeVar("Record", bound=Options)


def validated(kind: type[Record], document: object, *, file: Path | str, place: str = "") -> Record:
    """The record, or UsageError E0501. `place` is where the document stands in the recipe."""
    try:
        return kind.model_validate(document)
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_context=False)
        told = [_told(kind, one, place) for one in found]
        more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
        what = "; ".join(told[:SHOWN]) + more
        raise UsageError("E0501", what, file=file, fix=_FIX) from problem


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean 'rank'?`, or what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"


def _told(kind: type[BaseModel], problem: ErrorDetails, place: str) -> str:
    location = problem["loc"]
    path = ".".join([*([place] if place else []), *map(str, location)]) or "the recipe"
    if problem["type"] == "extra_forbidden":
        word = str(location[-1])
        return f"unknown key {path}, {suggestion(word, _known_keys(kind, location))}"
    if problem["type"] == "missing":
        return f"{path} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]}"


def _known_keys(kind: type[BaseModel], location: tuple[int | str, ...]) -> set[str]:
    """Keys of the record in which the last part of the location stands."""
    kinds = [kind]
    for part in location[:-1]:
        below = [
            found
            for one in kinds
            if part in one.model_fields
            for found in _records(one.model_fields[str(part)].annotation)
        ]
        kinds = below or kinds  # an index, the key of a mapping or the tag of a union
    return {name for one in kinds for name in one.model_fields}


def _records(annotation: object) -> list[type[BaseModel]]:
    """The records inside `dict[str, Record]`, `A | B | None` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _records(argument)]
