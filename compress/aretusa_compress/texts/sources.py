"""read_text(): the text of files, of a stand-in or of a data set of the hub."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.errors import UsageError
from aretusa_compress.model.source import offline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aretusa_compress.texts.options import HubText, QuestionOptions, Source, StandIn

TEXTS_VARIABLE: Final = "ARETUSA_TEXTS"  # environment: the folder of the stand-ins
TEXTS_FOLDER: Final = Path(".cache/texts")  # where make texts puts them
_BETWEEN: Final = "\n\n"


def read_text(source: Source) -> str:
    """The whole text. Raises E0230 for text that is missing or no UTF-8, E0503 for the hub."""
    if source.hub is not None:
        field = source.hub.field
        return _BETWEEN.join(str(row[field]) for row in hub_rows(source.hub))
    files = source.files or (stand_in_file(source.stand_in),)
    return _BETWEEN.join(_read_file(path) for path in files)


def read_questions(source: QuestionOptions) -> list[dict[str, Any]]:
    """Records with question, answers and, where there is one, context."""
    if source.hub is not None:
        return [_trivia_record(row) for row in hub_rows(source.hub)]
    text = read_text(source)
    return [_record(line, source) for line in text.splitlines() if line.strip()]


def stand_in_file(name: StandIn | None) -> Path:
    """Where a stand-in lies."""
    folder = Path(os.environ.get(TEXTS_VARIABLE, TEXTS_FOLDER))
    return folder / f"{name}.txt"


def _read_file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(
            "E0230",
            "the text cannot be read",
            file=path,
            why=str(problem),
            fix="Give UTF-8 text; `make texts` fetches the stand-ins into .cache/texts",
        ) from problem


def hub_rows(hub: HubText) -> Iterator[Mapping[str, Any]]:
    """Records of a data set: the first `documents`, read as a stream, or all."""
    # It warns at each try to reach the hub; if the last one fails the error says so.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        import datasets  # noqa: PLC0415 - slow to load, only for names of the hub

        found = datasets.load_dataset(
            hub.name,
            hub.config,
            split=hub.split,
            revision=hub.revision,
            streaming=hub.documents is not None,
        )
        rows = found if hub.documents is None else found.take(hub.documents)
        yield from rows
    except (ImportError, OSError, ValueError, RuntimeError, KeyError) as problem:
        raise offline(f"the data set '{hub.name}'", problem) from problem


def _trivia_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """TriviaQA's columns as question, answers, context (the shortest page that it has)."""
    answer = row["answer"]
    pages = row.get("entity_pages", {}).get("wiki_context", []) if "entity_pages" in row else []
    record = {"question": row["question"], "answers": [answer["value"], *answer["aliases"]]}
    return record | ({"context": min(pages, key=len)} if pages else {})


def _record(line: str, source: QuestionOptions) -> dict[str, Any]:
    try:
        record = json.loads(line)
        is_sound = isinstance(record["question"], str) and isinstance(record["answers"][0], str)
    except (ValueError, KeyError, TypeError, IndexError):
        is_sound = False
    if not is_sound:
        raise UsageError(
            "E0230",
            "a line is no question with answers",
            file=source.files[0] if source.files else stand_in_file(source.stand_in),
            why=line[:60],
            fix='Write {"question": "...", "answers": ["..."], "context": "..."} a line',
        )
    return dict(record)
