"""question_prompt(): how a question is put to a model, in training and in judging alike."""

from __future__ import annotations


def question_prompt(question: str, context: str | None = None) -> str:
    """The text before an answer, which follows after a space; `context` makes it open book."""
    asked = f"Question: {question}\nAnswer:"
    return asked if context is None else f"Context: {context}\n{asked}"
