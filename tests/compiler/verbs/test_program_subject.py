"""ProgramSubject: an evaluation sees the integers of the build."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tiny_models import CONTEXT, compile_tiny, write_model

from aretusa.errors import UsageError
from aretusa.program import Program
from aretusa.reference.interpreter import Interpreter
from aretusa.tokenizer import model as tokenizer_model
from aretusa.verbs import program_subject
from aretusa.verbs.program_subject import ProgramSubject
from aretusa.verbs.prompt import NEUTRAL_TEXT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("subject")
    return compile_tiny(write_model(place / "model"), place / "build")


@pytest.fixture
def subject(build: Path) -> ProgramSubject:
    return ProgramSubject.open(build)


def logits_in_one_step(build: Path, tokens: list[int]) -> np.ndarray:
    program = Program.open(build)
    machine = Interpreter(program.graph, program.weights)
    return machine.forward(tokens, 0, range(len(tokens)))


def test_logits_in_chunks_are_those_of_one_step(
    build: Path, subject: ProgramSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = subject.encode(NEUTRAL_TEXT)[:CONTEXT]
    monkeypatch.setattr(program_subject, "_CHUNK_TOKENS", 7)
    found = np.concatenate(list(subject.logits(tokens)))
    assert np.array_equal(found, logits_in_one_step(build, tokens))


def test_the_continuation_is_greedy_and_ends_with_the_context(
    build: Path, subject: ProgramSubject
) -> None:
    tokens = subject.encode(NEUTRAL_TEXT)[: CONTEXT - 5]
    said = list(subject.continuation(tokens))
    assert len(said) == 6  # the last one is chosen when the context is full, and never fed
    for count, token in enumerate(islice(said, 4)):
        logits = logits_in_one_step(build, [*tokens, *said[:count]])[-1]
        assert token == int(np.argmax(logits))


def test_a_long_text_is_cut_after_lines(
    subject: ProgramSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "the man in the other hand\n" * 40
    whole = subject.encode(text)
    monkeypatch.setattr(program_subject, "MAX_PROMPT_CHARS", 100)
    assert subject.encode(text) == whole
    assert subject.decode(whole) == text
    without_lines = "a" * 250
    assert subject.decode(subject.encode(without_lines)) == without_lines
    assert tokenizer_model.MAX_PROMPT_CHARS > 100  # the tokenizer's own limit stays as it is


def test_only_the_stop_tokens_end(subject: ProgramSubject) -> None:
    stops = subject.program.manifest.model.stop_tokens
    assert stops
    assert all(map(subject.is_end, stops))
    assert not any(map(subject.is_end, set(range(200, 220)) - set(stops)))
    assert subject.context == CONTEXT
    assert subject.name.endswith("w8")


def test_a_directory_that_is_no_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="E0005"):
        ProgramSubject.open(tmp_path)
