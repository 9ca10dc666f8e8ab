"""evaluate(): texts and questions put to one subject."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aretusa_compress.errors import ToolchainError, UsageError
from aretusa_compress.evaluation.answering import ANSWER_TOKENS, ask
from aretusa_compress.evaluation.noise import block_noise
from aretusa_compress.evaluation.perplexity import WINDOW_TOKENS, cut_windows, judge_text
from aretusa_compress.evaluation.questions import load_questions
from aretusa_compress.evaluation.results import (
    AnswerResult,
    EvaluationResult,
    TaskResult,
    TextResult,
)
from aretusa_compress.run.determinism import hide_bars
from aretusa_compress.texts.options import HubText, Source
from aretusa_compress.texts.sources import read_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa_compress.evaluation.answering import Book
    from aretusa_compress.evaluation.subject import Subject

WIKITEXT = "wikitext-2"
_WIKITEXT_TEST = HubText(name="Salesforce/wikitext", config="wikitext-2-raw-v1", split="test")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOptions:
    """What to judge; a text is a file or `wikitext-2`, which is fetched from the hub."""

    texts: tuple[str, ...] = ()
    window: int = WINDOW_TOKENS
    windows: int | None = None  # of each text; None: all
    questions: str | None = None
    books: tuple[Book, ...] = ("closed", "open")
    samples: int | None = 1200
    answer_tokens: int = ANSWER_TOKENS
    tasks: tuple[str, ...] = ()  # of lm-eval
    task_folder: Path | None = None  # with files of further ones
    few_shot: int | None = None  # None: as each task says
    limit: int | None = None  # documents of each task; None: all


def evaluate(
    subject: Subject,
    options: EvaluationOptions,
    *,
    kind: Literal["float", "program"],
    device: str,
    other: Subject | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> EvaluationResult:
    """Judge texts, then questions, then tasks; `progress` gets what, how far, of how much.

    Raises UsageError or ModelError for texts and questions that cannot be used, ToolchainError
    E0721 for tasks without lm-eval.
    """
    texts = [_judge(subject, text, options, other, progress) for text in options.texts]
    answers = [_ask(subject, book, options, progress) for book in _books(options)]
    return EvaluationResult(
        subject=subject.name,
        kind=kind,
        other=None if other is None else other.name,
        device=device,
        texts=texts,
        answers=answers,
        tasks=_tasks(subject, options, progress),
    )


def _tasks(
    subject: Subject, options: EvaluationOptions, progress: Callable[[str, int, int], None]
) -> list[TaskResult]:
    if not options.tasks:
        return []
    if find_spec("lm_eval") is None:
        raise ToolchainError(
            "E0721",
            "tasks need lm-eval",
            why="not installed; texts and questions do without",
            fix="pip install 'aretusa[lm-eval]'",
        )
    # The command has bars of its own, and coded errors.
    hide_bars()
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    from aretusa_compress.evaluation.harness import run_tasks  # noqa: PLC0415 - an extra

    return run_tasks(
        subject,
        options.tasks,
        folder=options.task_folder,
        few_shot=options.few_shot,
        limit=options.limit,
        progress=progress,
    )


def _books(options: EvaluationOptions) -> tuple[Book, ...]:
    return options.books if options.questions is not None else ()


def _judge(
    subject: Subject,
    text: str,
    options: EvaluationOptions,
    other: Subject | None,
    progress: Callable[[str, int, int], None],
) -> TextResult:
    window = min(options.window, subject.context)
    windows = cut_windows(subject.encode(read_text(_source(text))), window)
    if not windows:
        raise UsageError("E0230", "the text is too short", file=text, fix="Give a longer text")
    quality = judge_text(
        subject,
        windows[: options.windows],
        other=other,
        progress=lambda done, total: progress(Path(text).name, done, total),
    )
    return TextResult(
        text=Path(text).name,
        window=window,
        tokens=quality.tokens,
        perplexity=quality.perplexity,
        nats=quality.nats,
        kl_nats=quality.kl_nats,
        top1_agreement=quality.top1_agreement,
        block_snr_db=[] if other is None else block_noise(subject, other, windows[0][:-1]),
    )


def _source(text: str) -> Source:
    """A text file, or the test split of WikiText-2 as one text."""
    return Source(hub=_WIKITEXT_TEST) if text == WIKITEXT else Source(files=(Path(text),))


def _ask(
    subject: Subject,
    book: Book,
    options: EvaluationOptions,
    progress: Callable[[str, int, int], None],
) -> AnswerResult:
    assert options.questions is not None
    questions = load_questions(options.questions, options.samples)
    if book == "open":
        questions = [question for question in questions if question.contexts]
    if not questions:
        raise UsageError(
            "E0520",
            "no question has a context",
            file=options.questions,
            fix="Ask for the closed book only, or give questions with contexts",
        )
    quality = ask(
        subject,
        questions,
        book,
        max_new_tokens=options.answer_tokens,
        progress=lambda done, total: progress(f"{book} book", done, total),
    )
    return AnswerResult(
        questions=Path(options.questions).name,
        book=book,
        asked=quality.asked,
        left_out=quality.left_out,
        accuracy=quality.accuracy,
        exact=quality.exact,
        substring=quality.substring,
        words=quality.words,
        answer_nats=quality.answer_nats,
    )
