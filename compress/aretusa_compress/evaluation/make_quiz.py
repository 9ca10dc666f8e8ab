"""Write data/quiz.jsonl from the quiz data of the BSD games (`make quiz`).

The data (3-clause BSD licence, data/LICENSE.quiz) are answer patterns; what is kept of them are
questions in plain English about facts. A context names the fact among others of its subject.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aretusa_compress.evaluation.patterns import readings

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELD_END: Final = re.compile(r"(?<!\\):")
_FACTS: Final = 3  # of the same subject in a context
_MOST_ANSWERS: Final = 60  # a pattern with more readings has a slip
_SHORTEST: Final = 3  # characters of an answer; shorter ones are part of almost any text


@dataclass(frozen=True, slots=True)
class Subject:
    """One file, the fields of a fact, and how to ask for one by the other."""

    file: str
    given: int
    wanted: int
    question: str
    fact: str


SUBJECTS: Final = (
    *(
        Subject(name, 0, 1, "What is the capital of {}?", "The capital of {} is {}.")
        for name in ("africa", "america", "asia", "europe", "province", "state")
    ),
    Subject(
        "elements",
        0,
        3,
        "Which chemical element has the symbol {}?",
        "The symbol {} stands for the chemical element {}.",
    ),
    Subject(
        "pres",
        0,
        3,
        "Who became President of the United States after {}?",
        "The President of the United States after {} was {}.",
    ),
    Subject(
        "pres",
        0,
        2,
        "Who was Vice President of the United States under {}?",
        "The Vice President of the United States under {} was {}.",
    ),
    Subject("babies", 0, 1, "Of which animal is a {} the young?", "A {} is the young of a {}."),
    Subject(
        "collectives",
        0,
        1,
        "What is a group of {} called?",
        "A group of {} is called a {}.",
    ),
)


def make_rows(folder: Path) -> Iterator[dict[str, object]]:
    """All questions, subject by subject, then interleaved so that any first part is mixed."""
    by_subject = [list(_questions(folder, subject)) for subject in SUBJECTS]
    for turn in range(max(map(len, by_subject))):
        for rows in by_subject:
            if turn < len(rows):
                yield rows[turn]


def _questions(folder: Path, subject: Subject) -> Iterator[dict[str, object]]:
    pairs = list(_pairs(folder / subject.file, subject))
    facts = [subject.fact.format(given, answers[0]) for given, answers in pairs]
    for number, (given, answers) in enumerate(pairs):
        first = number - number % _FACTS  # so the fact is not always at the same place
        yield {
            "id": f"{subject.file}-{subject.given}{subject.wanted}-{number}",
            "question": subject.question.format(given),
            "answers": answers,
            "contexts": [" ".join(facts[first : first + _FACTS])],
        }


def _pairs(path: Path, subject: Subject) -> Iterator[tuple[str, list[str]]]:
    """What is given and what is accepted; facts without either are left out."""
    text = path.read_text("latin-1").replace("\\\n", "")
    for line in text.splitlines():
        fields = _FIELD_END.split(line)
        if len(fields) <= max(subject.given, subject.wanted):
            continue
        given = readings(fields[subject.given])
        answers = [text for text in readings(fields[subject.wanted]) if len(text) >= _SHORTEST]
        # Accents are struck over letters with backspaces there; such names are left out.
        if (
            given
            and 0 < len(answers) <= _MOST_ANSWERS
            and all(text.isprintable() for text in (given[0], *answers))
        ):
            yield given[0], answers


def main() -> None:
    """Arguments: the folder of the games' quiz files, and the file to write."""
    source, output = map(Path, sys.argv[1:])
    lines = [json.dumps(row, ensure_ascii=False) for row in make_rows(source)]
    output.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
