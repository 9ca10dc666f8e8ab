"""Ctrl-C of commands that run for long and can go on where they stopped."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

# After a lost interrupt: long enough for the callback that lost it to return.
ASK_AGAIN_S: Final = 0.02


@contextmanager
def interruptible(output: Path) -> Iterator[None]:
    """Let Ctrl-C be KeyboardInterrupt, also where a library makes another error of it."""
    seen: list[int] = []

    def note(number: int, _frame: FrameType | None) -> NoReturn:
        seen.append(number)
        raise KeyboardInterrupt

    def ask_again(lost: sys.UnraisableHookArgs) -> None:
        # Python drops what is raised inside a weak reference's callback or a finaliser.
        if issubclass(lost.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, ASK_AGAIN_S)
        else:
            sys.__unraisablehook__(lost)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGALRM)}
    hook, sys.unraisablehook = sys.unraisablehook, ask_again
    try:
        yield
    except (Exception, KeyboardInterrupt) as problem:
        if not seen:
            raise
        typer.echo(f"the same command goes on where it stopped: {output}", err=True)
        raise KeyboardInterrupt from problem
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
