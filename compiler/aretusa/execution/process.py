"""Run a program of somebody else's: its text while it comes, its exit code and messages."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.errors import ToolchainError
from aretusa.execution.faults import last_fault_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_READ_BYTES: Final = 1 << 16
_STDERR_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that ended by itself."""

    program: str
    exit_code: int
    console: bytes
    messages: str
    wall_s: float


def execute(
    command: list[str], run: Path, on_text: Callable[[bytes], None] | None, timeout_s: float
) -> Ended:
    """Run a command in a directory; `on_text` gets what it prints as it appears.

    Raises ToolchainError: E0706 if it does not start, E0707 if it does not end in time.
    """
    start = time.monotonic()
    console = bytearray()
    with tempfile.TemporaryFile() as messages:
        try:
            process = subprocess.Popen(
                command,
                cwd=run,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=messages,
                start_new_session=True,
            )
        except OSError as error:
            raise failed(command[0], str(error)) from None
        with process:
            # An interrupt, too, must not leave the machine running.
            try:
                _listen(process, console, on_text, start + timeout_s)
                exit_code = process.wait(max(0.1, start + timeout_s - time.monotonic()))
            except (TimeoutError, subprocess.TimeoutExpired):
                raise _timed_out(command[0], timeout_s, bytes(console)) from None
            finally:
                if process.poll() is None:  # with what it has started itself
                    os.killpg(process.pid, signal.SIGKILL)
        messages.seek(0)
        text = messages.read(_STDERR_BYTES).decode(errors="replace")
    return Ended(
        program=command[0],
        exit_code=exit_code,
        console=bytes(console),
        messages=text,
        wall_s=time.monotonic() - start,
    )


def _listen(
    process: subprocess.Popen[bytes],
    console: bytearray,
    on_text: Callable[[bytes], None] | None,
    deadline: float,
) -> None:
    """Pass the console on until it is closed; TimeoutError at the deadline."""
    assert process.stdout is not None, "the console is a pipe"
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            if not selector.select(left_s):
                continue
            data = os.read(process.stdout.fileno(), _READ_BYTES)
            if not data:
                return
            console += data
            if on_text is not None:
                on_text(data)


def failed(program: str, why: str) -> ToolchainError:
    """E0706 with what a program said."""
    return ToolchainError(
        "E0706",
        "the program does not run",
        file=program,
        why=why.splitlines()[0],
        fix="Run `aretusa doctor`.",
    )


def _timed_out(program: str, timeout_s: float, console: bytes) -> ToolchainError:
    return ToolchainError(
        "E0707",
        f"no end within {timeout_s:g} seconds",
        file=program,
        why=last_fault_line(console) or f"{len(console)} bytes of text so far",
        fix="Allow more time or ask for fewer tokens.",
    )
