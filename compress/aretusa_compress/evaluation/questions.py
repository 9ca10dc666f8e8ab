"""Questions with accepted answers and contexts, from a file or from the hub.

A file is JSON Lines with the keys `id`, `question`, `answers` (accepted, the first is the usual
one) and `contexts` (texts that hold an answer; may be empty), as the quiz that this package brings,
or the rows of TriviaQA as its data set on the hub stores them (`question`, `answer`,
`entity_pages`, `search_results`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.errors import ModelError, UsageError
from aretusa_compress.texts.options import HubText
from aretusa_compress.texts.sources import hub_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

QUIZ: Final = "quiz"  # the questions that come with the package
TRIVIA_QA: Final = "trivia_qa"  # on the hub
_TRIVIA_QA: Final = HubText(name="mandarjoshi/trivia_qa", config="rc", split="validation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question; `answers` has at least one text."""

    id: str
    text: str
    answers: tuple[str, ...]
    contexts: tuple[str, ...]

    @property
    def shortest_context(self) -> str:
        """What the open book shows."""
        return min(self.contexts, key=len)


def load_questions(source: str, count: int | None) -> list[Question]:
    """The first `count` questions of the quiz, of TriviaQA's validation split, or of a file.

    Raises UsageError if there is no such file, ModelError if it holds no questions, ToolchainError
    if the hub cannot be reached.
    """
    match source:
        case "quiz":
            quiz = files("aretusa_compress.evaluation") / "data" / "quiz.jsonl"
            found = _read_lines(quiz.read_text("utf-8").splitlines(), QUIZ)
        case "trivia_qa":
            rows = hub_rows(_TRIVIA_QA.model_copy(update={"documents": count}))
            found = [_read_row(row, TRIVIA_QA, number) for number, row in enumerate(rows)]
        case _:
            found = _read_lines(_read_file(Path(source)), source)
    return found if count is None else found[:count]


def _read_file(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(
            "E0520",
            "the questions cannot be read",
            file=path,
            why=str(problem),
            fix=f"Give a JSON Lines file in UTF-8, {QUIZ!r} or {TRIVIA_QA!r}",
        ) from problem


def _read_lines(lines: Iterable[str], source: str) -> list[Question]:
    rows: list[Question] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as problem:
            raise _damaged(source, number, str(problem)) from problem
        rows.append(_read_row(row, source, number))
    if not rows:
        raise _damaged(source, 1, "there is no question")
    return rows


def _read_row(row: object, source: str, number: int) -> Question:
    if not isinstance(row, dict):
        raise _damaged(source, number, "no JSON object")
    try:
        question = _own_row(row, number) if "answers" in row else _trivia_row(row, number)
    except (KeyError, TypeError, AttributeError) as problem:
        raise _damaged(source, number, f"the key {problem} is missing or of the wrong type") from (
            problem
        )
    if not question.text or not question.answers or not all(question.answers):
        raise _damaged(source, number, "an empty question or answer")
    return question


def _own_row(row: dict[str, Any], number: int) -> Question:
    return Question(
        id=str(row.get("id", number)),
        text=_text(row["question"]),
        answers=tuple(map(_text, row["answers"])),
        contexts=tuple(map(_text, row.get("contexts", ()))),
    )


def _trivia_row(row: dict[str, Any], number: int) -> Question:
    answer = row["answer"]
    pages = row.get("entity_pages", {}).get("wiki_context", [])
    found = row.get("search_results", {}).get("search_context", [])
    contexts = [text for text in (*pages, *found) if text]
    return Question(
        id=str(row.get("question_id", number)),
        text=_text(row["question"]),
        answers=tuple(dict.fromkeys((_text(answer["value"]), *map(_text, answer["aliases"])))),
        contexts=tuple(map(_text, contexts)),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = f"{value!r} instead of a text"
        raise TypeError(message)
    return value


def _damaged(source: str, line: int, why: str) -> ModelError:
    return ModelError(
        "E0521",
        f"line {line} holds no question",
        file=source,
        why=why,
        fix="Each line is a JSON object with question, answers and contexts",
    )
