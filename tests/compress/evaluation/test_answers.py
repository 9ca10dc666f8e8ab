from __future__ import annotations

import json
from math import log
from typing import TYPE_CHECKING

import pytest
from scripted_subject import ScriptedSubject

from aretusa_compress.errors import CompressError
from aretusa_compress.evaluation.answering import ask, prompt_for
from aretusa_compress.evaluation.evaluate import EvaluationOptions, evaluate
from aretusa_compress.evaluation.matching import Match, match_answer, normalise
from aretusa_compress.evaluation.patterns import readings
from aretusa_compress.evaluation.questions import Question, load_questions

if TYPE_CHECKING:
    from pathlib import Path

FRANCE = Question(
    id="1",
    text="What is the capital of France?",
    answers=("Paris", "City of Light"),
    contexts=("A long text says that Paris is the capital of France.", "Paris it is."),
)


@pytest.mark.parametrize(
    ("given", "accepted", "tier"),
    [
        ("Paris", ["Paris"], Match.EXACT),
        (" PARIS!!", ["London", "paris"], Match.EXACT),
        ("It is Paris, of course", ["Paris"], Match.SUBSTRING),
        ("the light of that big city", ["City of Light"], Match.WORDS),
        ("red green blue grey", ["red green blue grey white"], Match.WORDS),  # 4 of 5
        ("red green blue", ["red green blue grey"], Match.NONE),  # 3 of 4
        ("London", ["Paris"], Match.NONE),
        ("", ["Paris"], Match.NONE),
        ("anything", ["?!"], Match.NONE),
        ("", ["?!"], Match.NONE),
    ],
)
def test_tiers(given: str, accepted: list[str], tier: Match) -> None:
    assert match_answer(given, accepted) is tier


def test_normalising_leaves_words() -> None:
    assert normalise("  The “Big”,\tOLD-house… ") == "the big oldhouse"


def test_the_open_book_shows_the_shortest_context() -> None:
    assert prompt_for(FRANCE, "closed") == "Question: What is the capital of France?\nAnswer:"
    assert prompt_for(FRANCE, "open").startswith("Context: Paris it is.\nQuestion: ")


def test_answers_end_at_a_new_line_at_the_end_token_and_at_the_limit() -> None:
    prompt = prompt_for(FRANCE, "closed")
    for said, tier in (
        (" Paris\nQuestion: London", "exact"),
        (" Paris", "exact"),
        (" I think it is Paris and nothing else", "substring"),
        (" So very very very very very very very very much Paris", "none"),
    ):
        subject = ScriptedSubject(answers={prompt: said})
        quality = ask(subject, [FRANCE], "closed", max_new_tokens=40)
        assert {"exact": quality.exact, "substring": quality.substring, "none": 1}[tier] == 1
        assert quality.accuracy == (tier != "none")


def test_what_exceeds_the_context_is_left_out_and_said_so() -> None:
    quality = ask(ScriptedSubject(context=60), [FRANCE], "closed")
    assert (quality.asked, quality.left_out, quality.accuracy) == (0, 1, 0)


def test_how_likely_the_usual_answer_is_counts_its_tokens_only() -> None:
    # " abc": b and c are what the subject expects after a and b.
    question = Question(id="1", text="?", answers=("abc",), contexts=())
    share, others = 0.5, 0.5 / 127
    expected = -(2 * log(share) + 2 * log(others)) / 4
    quality = ask(ScriptedSubject(share=share), [question], "closed")
    assert quality.answer_nats == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("Vienna|Wien", ["Vienna", "Wien"]),
        ("Andorra la V[ell|iej]a", ["Andorra la Vella", "Andorra la Vieja"]),
        ("{J{ohn} }Adams", ["John Adams", "J Adams", "Adams"]),
        (r"a\|b\{c", ["a|b{c"]),
        ("", []),
    ],
)
def test_patterns(pattern: str, expected: list[str]) -> None:
    assert readings(pattern) == expected


@pytest.mark.parametrize("pattern", ["{a", "[a|b", "a}", "a]"])
def test_patterns_with_open_brackets_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"missing|unmatched"):
        readings(pattern)


def test_the_quiz_has_answers_and_contexts_that_hold_them() -> None:
    questions = load_questions("quiz", None)
    assert len(questions) == 583
    assert len({question.id for question in questions}) == len(questions)
    assert all(question.answers[0] in question.shortest_context for question in questions)
    by_text = {question.text: question for question in questions}
    assert by_text["What is the capital of France?"].answers == ("Paris",)


def test_rows_of_trivia_qa_are_read(tmp_path: Path) -> None:
    row = {
        "question_id": "tc_1",
        "question": "Which city?",
        "answer": {"value": "Paris", "aliases": ["Paris", "Paname"]},
        "entity_pages": {"wiki_context": ["A long article about Paris."]},
        "search_results": {"search_context": ["Paris.", ""]},
    }
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    (question,) = load_questions(str(tmp_path / "rows.jsonl"), None)
    assert question.id == "tc_1"
    assert question.answers == ("Paris", "Paname")
    assert question.shortest_context == "Paris."


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "E0520"),
        (b"\xff\xfe", "E0520"),
        (b"", "E0521"),
        (b"{", "E0521"),
        (b"[]", "E0521"),
        (b'{"question": "?"}', "E0521"),
        (b'{"question": "?", "answers": []}', "E0521"),
        (b'{"question": "?", "answers": [3]}', "E0521"),
        (b'{"question": "", "answers": ["a"]}', "E0521"),
        (b'{"question": "?", "answer": 3}', "E0521"),
    ],
)
def test_files_without_questions_are_refused(
    tmp_path: Path, content: bytes | None, code: str
) -> None:
    path = tmp_path / "questions.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CompressError) as caught:
        load_questions(str(path), None)
    assert caught.value.code == code
    assert str(path) in str(caught.value)


def test_the_open_book_of_questions_without_contexts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "?", "answers": ["a"]}\n')
    options = EvaluationOptions(questions=str(path), books=("open",))
    with pytest.raises(CompressError, match="E0520"):
        evaluate(ScriptedSubject(), options, kind="float", device="cpu")


@pytest.mark.parametrize("content", [None, b"\xff", b"x"])
def test_texts_that_cannot_be_judged_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CompressError, match="E0230"):
        evaluate(
            ScriptedSubject(), EvaluationOptions(texts=(str(path),)), kind="float", device="cpu"
        )


def test_an_evaluation_holds_all_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("abcdefgh" * 20)
    options = EvaluationOptions(
        texts=(str(path),), window=16, windows=3, questions="quiz", samples=4
    )
    result = evaluate(
        ScriptedSubject(), options, kind="float", device="cpu", other=ScriptedSubject(share=0.4)
    )
    assert [text.tokens for text in result.texts] == [45]
    assert result.other == "scripted"
    assert [(answer.book, answer.asked) for answer in result.answers] == [
        ("closed", 4),
        ("open", 4),
    ]
