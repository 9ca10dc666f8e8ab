"""Run a built program, on this computer or in QEMU: text while it comes, records at the end."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aretusa.errors import FirmwareError
from aretusa.execution import toolchain
from aretusa.execution.faults import exit_fault
from aretusa.execution.firmware import Flavour, Platform, Sanitizer, build_firmware
from aretusa.execution.process import Ended, execute, failed
from aretusa.execution.records import RunRecords, parse_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.execution.request import RunRequest

_IMAGE_FILE: Final = re.compile(r'^\s*file = "([^"/]+)"$', re.MULTILINE)
_REQUEST: Final = "request.bin"
_RECORD: Final = "record.bin"
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
    flavour = Flavour(sanitizer=sanitizer, profile=request.profile)
    firmware = build_firmware(build, Platform.HOST, flavour)
    with tempfile.TemporaryDirectory(prefix="run-", dir=build) as name:
        run = _prepare(build, Path(name), block)
        command = [str(firmware.program.resolve()), ".", "--request", _REQUEST]
        command += ["--record", _RECORD]
        return outcome_of(run, execute(command, run, on_text, timeout_s), request)


def run_qemu(
    build: Path,
    request: RunRequest,
    *,
    on_text: Callable[[bytes], None] | None = None,
    harts: int = 8,
    platform: Platform = Platform.QEMU,
    timeout_s: float = 600.0,
) -> RunOutcome:
    """Run the firmware of a build directory in QEMU; the same input gives the same counts.

    `platform` is QEMU or QEMU_ZFINX: another compiler, and cores without float registers.

    `on_text` gets the console's bytes as they appear; a character may be cut. Raises FirmwareError
    if the firmware reports a fault, ToolchainError if it cannot be built or does not end in time.
    """
    block = request.encode(harts)
    emulator = toolchain.find_emulator()
    firmware = build_firmware(build, platform, Flavour(profile=request.profile))
    with tempfile.TemporaryDirectory(prefix="run-", dir=build) as name:
        run = _prepare(build, Path(name), block)
        (run / "firmware.elf").symlink_to(firmware.program.resolve())
        command = [emulator.path, *_QEMU_CONSOLE, "-kernel", "firmware.elf", "-smp", str(harts)]
        if platform is Platform.QEMU_ZFINX:
            command += ["-cpu", "rv32,f=off,d=off,zfinx=on"]
        if request.wants_records:
            command += ["-semihosting-config", "enable=on,target=native"]
        return outcome_of(run, execute(command, run, on_text, timeout_s), request)


def link_images(build: Path, run: Path) -> None:
    """Links to the weight images in the working directory of a run; E0801 if one is missing."""
    for name in _IMAGE_FILE.findall((build / "machine.cfg").read_text()):
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


def _prepare(build: Path, run: Path, block: bytes) -> Path:
    """Fill the working directory of a run: the request, and links to what it reads."""
    link_images(build, run)
    (run / "machine.cfg").symlink_to((build / "machine.cfg").resolve())
    (run / _REQUEST).write_bytes(block)
    return run


def outcome_of(run: Path, ended: Ended, request: RunRequest) -> RunOutcome:
    """The outcome of a process that ended, or the fault that it reported."""
    if ended.exit_code != 0:
        fault = exit_fault(ended.exit_code, ended.console, ended.messages)
        if fault is not None:
            raise fault
        raise failed(ended.program, ended.messages.strip() or f"exit code {ended.exit_code}")
    records = None
    if request.wants_records:
        file = run / _RECORD
        records = parse_records(file.read_bytes() if file.is_file() else b"")
    return RunOutcome(console=ended.console, records=records, wall_s=ended.wall_s)
