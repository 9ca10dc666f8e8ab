"""Texts come from where a recipe says, and windows are cut as it says."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import write_text, write_tiny

from aretusa_compress.errors import ToolchainError, UsageError
from aretusa_compress.texts.options import DataOptions, QuestionOptions, TextOptions
from aretusa_compress.texts.roles import Texts
from aretusa_compress.texts.sources import TEXTS_VARIABLE, read_questions, read_text
from aretusa_compress.texts.windows import encode, ids_needed, read_tokenizer, text_windows

if TYPE_CHECKING:
    from pathlib import Path

TRIVIA = {
    "question": "Where is the spring?",
    "answer": {"value": "Siracusa", "aliases": ["Syracuse"]},
    "entity_pages": {"wiki_context": ["a long page about Ortygia", "a short page"]},
}


class FakeDatasets:
    """Stands for the library: a data set of given rows, or one that does not come."""

    def __init__(self, rows: list[dict[str, Any]] | Exception) -> None:
        self.rows = rows
        self.asked: dict[str, Any] = {}

    def load_dataset(self, name: str, config: str | None, **options: Any) -> Any:  # noqa: ANN401
        self.asked = {"name": name, "config": config, **options}
        if isinstance(self.rows, Exception):
            raise self.rows
        rows = self.rows
        return (
            SimpleNamespace(take=lambda count: iter(rows[:count])) if options["streaming"] else rows
        )


def install(monkeypatch: pytest.MonkeyPatch, rows: Any) -> FakeDatasets:  # noqa: ANN401
    fake = FakeDatasets(rows)
    monkeypatch.setitem(sys.modules, "datasets", fake)  # type: ignore[arg-type]
    return fake


def test_files_are_joined_by_a_blank_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("two")
    assert read_text(TextOptions(files=(tmp_path / "a", tmp_path / "b"))) == "one\n\ntwo"


def test_stand_ins_lie_in_the_folder_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TEXTS_VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match="make texts"):
        read_text(TextOptions(stand_in="sotu"))
    (tmp_path / "sotu.txt").write_text("Fellow citizens")
    assert read_text(TextOptions(stand_in="sotu")) == "Fellow citizens"


def test_a_data_set_of_the_hub_is_read_up_to_a_number_of_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = install(monkeypatch, [{"text": "a"}, {"text": "b"}, {"text": "c"}])
    hub = {"name": "allenai/c4", "config": "en", "documents": 2}
    assert read_text(TextOptions(hub=hub)) == "a\n\nb"
    assert fake.asked["streaming"] is True
    assert (fake.asked["name"], fake.asked["config"], fake.asked["split"]) == (
        "allenai/c4",
        "en",
        "train",
    )
    assert read_text(TextOptions(hub={"name": "x/y"})) == "a\n\nb\n\nc"


def test_a_data_set_that_does_not_come_is_a_coded_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ConnectionError("no route"))
    with pytest.raises(ToolchainError, match="E0503"):
        read_text(TextOptions(hub={"name": "x/y"}))


def test_tries_to_reach_the_hub_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ConnectionError("no route"))
    logging.getLogger("huggingface_hub").setLevel(logging.WARNING)
    with pytest.raises(ToolchainError, match="E0503"):
        read_text(TextOptions(hub={"name": "x/y"}))
    library = logging.getLogger("huggingface_hub.utils._http")
    assert not library.isEnabledFor(logging.WARNING)


def test_columns_of_trivia_qa_become_questions_with_the_shortest_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, [TRIVIA])
    (found,) = read_questions(QuestionOptions(kind="questions", hub={"name": "x/trivia"}))
    assert found == {
        "question": "Where is the spring?",
        "answers": ["Siracusa", "Syracuse"],
        "context": "a short page",
    }


def test_windows_are_pieces_of_the_encoded_text(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(write_tiny(tmp_path / "model"))
    text = write_text(tmp_path / "text.txt").read_text()
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    first = text_windows(ids, TextOptions(files=("x",), samples=3, tokens=7), seed=0, role="r")
    assert first.flatten().tolist() == ids[:21]
    options = TextOptions(files=("x",), samples=9, tokens=7, pick="random")
    chosen = text_windows(ids, options, seed=0, role="r")
    places = [ids.index(row[0]) for row in chosen.tolist()]
    assert len({tuple(row) for row in chosen.tolist()}) == 9
    pieces = [ids[start : start + 7] for start in range(0, len(ids) - 6, 7)]
    assert all(row in pieces for row in chosen.tolist()), places
    assert text_windows(ids, options, seed=0, role="r").equal(chosen)
    assert not text_windows(ids, options, seed=1, role="r").equal(chosen)


@given(st.integers(1, 400), st.integers(2, 40), st.one_of(st.none(), st.integers(1, 12)))
def test_there_are_as_many_windows_as_asked_for_or_an_error(
    count: int, tokens: int, samples: int | None
) -> None:
    options = TextOptions(files=("x",), samples=samples, tokens=tokens)
    ids = list(range(count))
    wanted = count // tokens if samples is None else samples
    if wanted == 0 or wanted > count // tokens:
        with pytest.raises(UsageError, match="E0230"):
            text_windows(ids, options, seed=0, role="calibration")
    else:
        found = text_windows(ids, options, seed=0, role="calibration")
        assert found.shape == (wanted, tokens)
        assert found.flatten().tolist() == ids[: wanted * tokens]
        needed = ids_needed(options)
        assert needed is None or found.flatten().tolist() == ids[:needed]


def test_a_long_text_is_encoded_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = read_tokenizer(write_tiny(tmp_path / "model"))
    text = "".join(f"the other hen {n}\n" for n in range(300))
    whole = encode(text, tokenizer, None)
    monkeypatch.setattr("aretusa_compress.texts.windows._CHARACTERS_AT_ONCE", 100)
    assert encode(text, tokenizer, None) == whole
    assert encode(text, tokenizer, 50) == whole[:50]


def test_what_texts_depend_on_is_their_content_and_how_it_is_cut(tmp_path: Path) -> None:
    text = write_text(tmp_path / "a.txt")
    other = tmp_path / "b.txt"
    other.write_bytes(text.read_bytes())

    def inputs(path: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
        options = TextOptions(files=(path,), **changes)
        return Texts(DataOptions(calibration=options), seed=0).inputs("calibration")

    assert inputs(text) == inputs(other)
    assert inputs(text) != inputs(text, tokens=64)
    other.write_text("something else")
    assert inputs(text) != inputs(other)
