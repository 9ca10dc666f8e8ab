"""Questions put to a subject: closed book from memory, open book from a context."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from aretusa_compress.evaluation.matching import Match, match_answer
from aretusa_compress.evaluation.perplexity import log_softmax
from aretusa_compress.texts.prompts import question_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aretusa_compress.evaluation.questions import Question
    from aretusa_compress.evaluation.subject import Subject

Book = Literal["closed", "open"]
ANSWER_TOKENS: Final = 50  # most tokens of an answer, as published


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerQuality:
    """Shares of the asked questions, and how likely the first accepted answer was."""

    book: Book
    asked: int
    left_out: int  # whose prompt and answer exceed the context
    exact: float
    substring: float  # found as substring only
    words: float  # found by its words only
    answer_nats: float  # negative log-likelihood per token of the first accepted answer

    @property
    def accuracy(self) -> float:
        """Share of questions answered in any tier."""
        return self.exact + self.substring + self.words


def prompt_for(question: Question, book: Book) -> str:
    """The text before the answer; the answer follows after a space."""
    match book:
        case "closed":
            return question_prompt(question.text)
        case "open":
            return question_prompt(question.text, question.shortest_context)


def ask(
    subject: Subject,
    questions: Sequence[Question],
    book: Book,
    *,
    max_new_tokens: int = ANSWER_TOKENS,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> AnswerQuality:
    """Ask all questions that fit the context; greedy, so that a run can be repeated."""
    tiers: Counter[Match] = Counter()
    nats: list[float] = []
    for done, question in enumerate(questions):
        prompt = subject.encode(prompt_for(question, book))
        answer = subject.encode(" " + question.answers[0])
        if len(prompt) + max(len(answer), max_new_tokens) <= subject.context:
            said = _answer(subject, prompt, max_new_tokens)
            tiers[match_answer(said, question.answers)] += 1
            nats.append(_nats(subject, prompt, answer))
        progress(done + 1, len(questions))
    asked = max(len(nats), 1)
    return AnswerQuality(
        book=book,
        asked=len(nats),
        left_out=len(questions) - len(nats),
        exact=tiers[Match.EXACT] / asked,
        substring=tiers[Match.SUBSTRING] / asked,
        words=tiers[Match.WORDS] / asked,
        answer_nats=float(np.mean(nats)) if nats else 0.0,
    )


def _answer(subject: Subject, prompt: Sequence[int], max_new_tokens: int) -> str:
    """What the subject says until it ends, starts a new line, or has said enough."""
    tokens: list[int] = []
    for token in subject.continuation(prompt):
        if subject.is_end(token):
            break
        tokens.append(token)
        text = subject.decode(tokens)
        if len(tokens) >= max_new_tokens or "\n" in text.lstrip():
            break
    said = subject.decode(tokens).strip()
    return said.splitlines()[0] if said else ""


def _nats(subject: Subject, prompt: Sequence[int], answer: Sequence[int]) -> float:
    given = [*prompt, *answer][:-1]
    logits = np.concatenate(list(subject.logits(given)))[-len(answer) :]
    logs = log_softmax(logits)
    return -float(logs[np.arange(len(answer)), np.asarray(answer)].mean())
