"""Ctrl-C reaches a run's end wherever Python is when it comes."""

from __future__ import annotations

import os
import signal
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from aretusa.cli_interrupt import interruptible

if TYPE_CHECKING:
    from pathlib import Path


class _Thing:
    """Something a weak reference can point to."""


def _interrupt_self() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)


def _drop(things: list[_Thing]) -> None:
    things.clear()
    time.sleep(5)


def test_an_interrupt_ends_the_block_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruptible(tmp_path):
        _interrupt_self()
    assert capsys.readouterr().err == f"the same command goes on where it stopped: {tmp_path}\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_that_a_callback_loses_is_asked_for_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost: list[object] = []

    def callback(_reference: object) -> None:
        lost.append(None)
        _interrupt_self()

    things = [_Thing()]
    reference = weakref.ref(things[0], callback)
    with pytest.raises(KeyboardInterrupt), interruptible(tmp_path):
        _drop(things)
    assert lost, "the callback ran inside the block"
    assert reference() is None
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_without_an_interrupt_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), interruptible(tmp_path):
        raise ZeroDivisionError
