"""How executions are compared: every bit counts, and so does what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.execution.firmware import Flavour, Platform, Sanitizer
from aretusa.verbs.executions import (
    Task,
    Transcript,
    compiled_execution,
    greedy,
    numpy_execution,
    onnx_execution,
)
from aretusa.verbs.verify import default_executions

if TYPE_CHECKING:
    from pathlib import Path

rows = st.integers(1, 5)


def transcript(count: int, tokens: tuple[int, ...] = (1, 2)) -> Transcript:
    values = np.arange(count * 7, dtype=np.float32).reshape(count, 7)
    return Transcript(logits=values, tokens=tokens)


def test_a_transcript_equals_itself() -> None:
    one = transcript(3)
    assert one.mismatches(one) == 0
    assert one.values == 3 * 7 + 2


@given(rows, st.integers(0, 6), st.integers(0, 31))
def test_one_bit_is_one_mismatch(count: int, column: int, bit: int) -> None:
    one, two = transcript(count), transcript(count)
    two.logits.view(np.uint32)[count - 1, column] ^= np.uint32(1) << np.uint32(bit)
    assert two.mismatches(one) == 1


def test_equal_numbers_of_different_bits_differ() -> None:
    plus = Transcript(logits=np.zeros((1, 3), np.float32), tokens=())
    minus = Transcript(logits=-np.zeros((1, 3), np.float32), tokens=())
    assert plus.mismatches(minus) == 3


def test_the_same_nan_is_equal() -> None:
    one = Transcript(logits=np.full((1, 3), np.nan, np.float32), tokens=())
    assert one.mismatches(one) == 0


@given(rows, rows)
def test_missing_rows_are_mismatches(one: int, two: int) -> None:
    found = transcript(one).mismatches(transcript(two))
    assert found == (0 if one == two else max(one, two) * 7)


def test_missing_and_different_tokens_are_mismatches() -> None:
    assert transcript(1, (1, 2, 3)).mismatches(transcript(1, (1, 9))) == 2
    assert transcript(1, ()).mismatches(transcript(1, (1, 2))) == 2


class Counting:
    """A machine whose likeliest token is the sum of all tokens so far."""

    vocabulary = 13

    def __init__(self) -> None:
        self.steps: list[tuple[tuple[int, ...], int]] = []
        self.sum = 0

    def forward(
        self, tokens: list[int], position: int, rows: range | list[int]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        self.steps.append((tuple(tokens), position))
        assert list(rows) == list(range(len(tokens)))
        found = np.zeros((len(tokens), self.vocabulary), np.float32)
        for row, token in enumerate(tokens):
            self.sum = (self.sum + token) % self.vocabulary
            found[row, self.sum] = 1
        return found


@pytest.mark.parametrize("chunk", [1, 2, 3, 5])
def test_greedy_decodes_token_by_token_after_a_prefill_in_chunks(chunk: int) -> None:
    machine = Counting()
    found = greedy(machine, Task(prompt=(1, 2, 3, 4), new_tokens=3), chunk)
    assert found.tokens == (10, 7, 1)
    assert found.logits.shape == (4 + 3 - 1, 13)
    prefill = [step for step, position in machine.steps if position < 4]
    assert [len(step) for step in prefill] == [min(chunk, 4 - i) for i in range(0, 4, chunk)]
    assert machine.steps[len(prefill) :] == [((10,), 4), ((7,), 5)]


def test_names_say_what_is_run() -> None:
    assert (numpy_execution(7).name, numpy_execution(7).detail) == ("numpy", "chunk 7")
    assert onnx_execution(1).name == "onnxruntime"
    host = compiled_execution(
        Platform.HOST, cores=8, chunk=3, flavour=Flavour(sanitizer=Sanitizer.ADDRESS)
    )
    assert (host.name, host.detail) == ("host", "8 threads, chunk 3, address,undefined")
    assert compiled_execution(Platform.QEMU, cores=1, chunk=3).detail == "1 harts, chunk 3"


@pytest.mark.parametrize("chunk_max", [1, 7, 32])
def test_the_default_covers_every_machine_and_chunking(chunk_max: int) -> None:
    executions = default_executions(chunk_max)
    labels = [(one.name, one.detail) for one in executions]
    assert len(set(labels)) == len(labels)
    assert labels[0] == ("numpy", f"chunk {chunk_max}")
    everywhere = {"numpy", "onnxruntime", "host", "qemu"}
    assert everywhere <= {one.name for one in executions} <= everywhere | {"qemu-zfinx", "gvsoc"}
    for platform, unit in (("host", "threads"), ("qemu", "harts")):
        details = {detail for name, detail in labels if name == platform}
        assert f"8 {unit}, chunk {chunk_max}" in details
        assert f"1 {unit}, chunk {chunk_max}" in details
        assert f"8 {unit}, chunk 1" in details


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ((), []),
        (("clang-19",), []),
        (("clang-19", "ld.lld-19"), ["qemu-zfinx"]),
        (("gvsoc",), []),
        (("clang-19", "ld.lld-19", "gvsoc"), ["qemu-zfinx", "gvsoc", "gvsoc"]),
    ],
)
def test_the_chips_build_is_compared_where_its_tools_are(
    tools: tuple[str, ...], names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in tools:
        (tmp_path / name).write_text("#!/bin/sh\necho 19.1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    executions = default_executions(7)
    found = [one for one in executions if one.name in {"qemu-zfinx", "gvsoc"}]
    assert [one.name for one in found] == names
    assert len({(one.name, one.detail) for one in executions}) == len(executions)
    if "gvsoc" in names:
        assert [one.detail for one in found[1:]] == ["8 cores, chunk 7", "8 cores, chunk 7, xpulp"]
