"""judge_quality(): the build must belong to the checkpoint, and the text must be usable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_models import compile_tiny, write_model

from aretusa.errors import UsageError
from aretusa.verbs.prompt import NEUTRAL_TEXT
from aretusa.verbs.verify_quality import HELDOUT_FILE, QualityOptions, judge_quality

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


@pytest.fixture
def build(model: Path, tmp_path: Path) -> Path:
    return compile_tiny(model, tmp_path / "build")


def test_a_text_is_judged_window_by_window(model: Path, build: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(NEUTRAL_TEXT, "utf-8")
    options = QualityOptions(texts=(text, text), window=32, windows=2)
    one, two = judge_quality(build, model, options)
    assert one == two
    assert one.text == "text.txt"
    assert 0 < one.tokens <= 64
    change = one.perplexity_integer / one.perplexity_float - 1
    assert one.perplexity_change == pytest.approx(change, abs=1e-6)
    assert abs(change) < 0.04  # the bound that the project promises for W8A8
    assert 0 <= one.kl_nats < 0.01
    assert 0.8 <= one.top1_agreement <= 1


def test_the_model_may_bring_its_own_text(model: Path, build: Path) -> None:
    (model / HELDOUT_FILE).write_text(NEUTRAL_TEXT, "utf-8")
    (only,) = judge_quality(build, model, QualityOptions(window=16, windows=1))
    assert only.text == HELDOUT_FILE


def test_without_a_text_nothing_is_judged(model: Path, build: Path) -> None:
    with pytest.raises(UsageError, match=r"E0230.*Give --text"):
        judge_quality(build, model)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a"])
def test_a_text_that_cannot_be_judged_is_refused(
    content: bytes, model: Path, build: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(content)
    with pytest.raises(UsageError, match="E0230") as caught:
        judge_quality(build, model, QualityOptions(texts=(text,)))
    assert caught.value.file == str(text)


def test_the_build_of_another_checkpoint_is_refused(build: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", seed=9)
    with pytest.raises(UsageError, match=r"E0008.*Give --model"):
        judge_quality(build, other)
