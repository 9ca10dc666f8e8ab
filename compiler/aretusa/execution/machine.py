"""Run a built program, on this computer or in QEMU: text while it comes, records at the end."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aretusa.errors import FirmwareError, ToolchainError
from aretusa.execution import toolchain
from aretusa.execution.faults import exit_fault, last_fault_line
from aretusa.execution.firmware import Platform, Sanitizer, build_firmware
from aretusa.execution.records import RunRecords, parse_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.execution.request import RunRequest

_IMAGE_FILE: Final = re.compile(r'^\s*file = "([^"/]+)"$', re.MULTILINE)
_REQUEST: Final = "request.bin"
_RECORD: Final = "record.bin"
_READ_BYTES: Final = 1 << 16
_STDERR_BYTES: Final = 4096
_QEMU_CONSOLE: Final = (
    *("-nodefaults", "-display", "none"),
    *("-serial", "chardev:console", "-readconfig", "machine.cfg"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A run that ended as it should."""

    console: bytes
    records: RunRecords | None  # None if the request wanted none
    wall_s: float

    @property
    def text(self) -> str:
        """The console as text; what is not UTF-8 becomes U+FFFD."""
        return self.console.decode(errors="replace")


def run_host(
    build: Path,
    request: RunRequest,
    *,
    on_text: Callable[[bytes], None] | None = None,
    threads: int = 8,
    sanitizer: Sanitizer = Sanitizer.NONE,
    timeout_s: float = 600.0,
) -> RunOutcome:
    """Run the program of a build directory with one thread per core.

    `on_text` gets the console's bytes as they appear; a character may be cut. Raises FirmwareError
    if the program reports a fault, ToolchainError if it cannot be built or does not end in time.
    """
    block = request.encode(threads)
    firmware = build_firmware(build, Platform.HOST, sanitizer=sanitizer, profile=request.profile)
    with tempfile.TemporaryDirectory(prefix="run-", dir=build) as name:
        run = _prepare(build, Path(name), block)
        command = [str(firmware.program.resolve()), ".", "--request", _REQUEST]
        command += ["--record", _RECORD]
        return _finish(run, _execute(command, run, on_text, timeout_s), request)


def run_qemu(
    build: Path,
    request: RunRequest,
    *,
    on_text: Callable[[bytes], None] | None = None,
    harts: int = 8,
    timeout_s: float = 600.0,
) -> RunOutcome:
    """Run the firmware of a build directory in QEMU; the same input gives the same counts.

    `on_text` gets the console's bytes as they appear; a character may be cut. Raises FirmwareError
    if the firmware reports a fault, ToolchainError if it cannot be built or does not end in time.
    """
    block = request.encode(harts)
    emulator = toolchain.find_emulator()
    firmware = build_firmware(build, Platform.QEMU, profile=request.profile)
    with tempfile.TemporaryDirectory(prefix="run-", dir=build) as name:
        run = _prepare(build, Path(name), block)
        (run / "firmware.elf").symlink_to(firmware.program.resolve())
        command = [emulator.path, *_QEMU_CONSOLE, "-kernel", "firmware.elf", "-smp", str(harts)]
        if request.wants_records:
            command += ["-semihosting-config", "enable=on,target=native"]
        return _finish(run, _execute(command, run, on_text, timeout_s), request)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """A process that ended by itself."""

    program: str
    exit_code: int
    console: bytes
    messages: str
    wall_s: float


def _prepare(build: Path, run: Path, block: bytes) -> Path:
    """Fill the working directory of a run: the request, and links to what it reads."""
    machine = build / "machine.cfg"
    for name in _IMAGE_FILE.findall(machine.read_text()):
        if name == _REQUEST:
            continue
        image = build / name
        if not image.is_file():
            raise FirmwareError(
                "E0801",
                "the weight image is missing",
                file=image,
                fix="Compile the model again.",
            )
        (run / name).symlink_to(image.resolve())
    (run / "machine.cfg").symlink_to(machine.resolve())
    (run / _REQUEST).write_bytes(block)
    return run


def _execute(
    command: list[str], run: Path, on_text: Callable[[bytes], None] | None, timeout_s: float
) -> _Ended:
    start = time.monotonic()
    console = bytearray()
    with tempfile.TemporaryFile() as messages:
        try:
            process = subprocess.Popen(
                command, cwd=run, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=messages
            )
        except OSError as error:
            raise _failed(command[0], str(error)) from None
        with process:
            # An interrupt, too, must not leave the machine running.
            try:
                _listen(process, console, on_text, start + timeout_s)
                exit_code = process.wait(max(0.1, start + timeout_s - time.monotonic()))
            except (TimeoutError, subprocess.TimeoutExpired):
                raise _timed_out(command[0], timeout_s, bytes(console)) from None
            finally:
                if process.poll() is None:
                    process.kill()
        messages.seek(0)
        text = messages.read(_STDERR_BYTES).decode(errors="replace")
    return _Ended(
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


def _finish(run: Path, ended: _Ended, request: RunRequest) -> RunOutcome:
    """The outcome of a process that ended, or the fault that it reported."""
    if ended.exit_code != 0:
        fault = exit_fault(ended.exit_code, ended.console, ended.messages)
        if fault is not None:
            raise fault
        raise _failed(ended.program, ended.messages.strip() or f"exit code {ended.exit_code}")
    records = None
    if request.wants_records:
        file = run / _RECORD
        records = parse_records(file.read_bytes() if file.is_file() else b"")
    return RunOutcome(console=ended.console, records=records, wall_s=ended.wall_s)


def _failed(program: str, why: str) -> ToolchainError:
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
