"""Run the chip's own program on GVSoC, the public virtual platform of the PULP chips.

It is somebody else's program: looked for on PATH, and needed by nothing but this.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from elftools.elf.elffile import ELFFile

from aretusa.errors import UsageError
from aretusa.execution import toolchain
from aretusa.execution.faults import WRONG_FLOATS, access_fault
from aretusa.execution.firmware import Platform, build_firmware, target_flavour
from aretusa.execution.machine import RunOutcome, link_images, outcome_of
from aretusa.execution.process import execute

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.execution.firmware import Flavour
    from aretusa.execution.process import Ended
    from aretusa.execution.request import RunRequest

_TARGET: Final = "siracusa"
_PROGRAM: Final = "program.elf"
_EXIT_CODE: Final = re.compile(r"exitcode: (\d+)")
_ABORTED: Final = 1  # its answer to an access that leads nowhere


def run_gvsoc(
    build: Path,
    request: RunRequest,
    *,
    on_text: Callable[[bytes], None] | None = None,
    cores: int = 8,
    xpulp: bool | None = None,
    timeout_s: float = 3600.0,
) -> RunOutcome:
    """Run the chip's program of a build directory on GVSoC; counts are cycles of the cluster.

    `xpulp` takes kernels in the cores' own instructions, or portable ones; None: the target's.
    The program is built for cores that keep floats where the target's do: on Siracusa in the
    integer registers. Some versions of GVSoC have registers for floats: the program finds out, and
    is then built for those. Raises FirmwareError if the program reports a fault or leaves its
    memories, ToolchainError if GVSoC or a compiler is missing or does not end in time.
    """
    platform = toolchain.find_virtual_platform()
    block = request.encode(cores)
    flavour = replace(target_flavour(build), profile=request.profile)
    if xpulp is not None:
        flavour = replace(flavour, xpulp=xpulp)
    with tempfile.TemporaryDirectory(prefix="run-", dir=build) as name:
        run = Path(name)
        link_images(build, run)
        command = _command(platform.path, run)
        _write_program(build, flavour, block, run)
        ended = _execute(command, run, on_text, timeout_s)
        if ended.exit_code == WRONG_FLOATS:
            _write_program(build, replace(flavour, floats=flavour.floats.other), block, run)
            ended = _execute(command, run, on_text, timeout_s)
        return outcome_of(run, ended, request)


def program_with_request(program: Path, block: bytes) -> bytes:
    """The ELF file of a program with a request block in its window; E0010 if it does not fit."""
    content = bytearray(program.read_bytes())
    with program.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".request")
        assert section is not None, "the linker script keeps the window of the request"
        offset, size = section["sh_offset"], section["sh_size"]
    if len(block) > size:
        raise UsageError(
            "E0010",
            f"the request has {len(block):,} bytes, more than the chip's {size:,}",
            fix="Give a shorter prompt.",
        )
    content[offset : offset + len(block)] = block
    return bytes(content)


def _command(program: str, run: Path) -> list[str]:
    """What GVSoC writes goes to the directory of the run: an image of a flash chip, and records."""
    place = run.resolve()
    return [
        program,
        f"--target={_TARGET}",
        f"--work-dir={place}",
        f"--binary={place / _PROGRAM}",
        "run",
    ]


def _write_program(build: Path, flavour: Flavour, block: bytes, run: Path) -> None:
    firmware = build_firmware(build, Platform.SIRACUSA, flavour)
    (run / _PROGRAM).write_bytes(program_with_request(firmware.program, block))


def _execute(
    command: list[str], run: Path, on_text: Callable[[bytes], None] | None, timeout_s: float
) -> Ended:
    """Run GVSoC, which tells the program's exit code in a message."""
    ended = execute(command, run, on_text, timeout_s)
    said = _EXIT_CODE.findall(ended.messages + ended.console.decode(errors="replace"))
    if ended.exit_code == 0 or not said:
        return ended
    if int(said[-1]) == _ABORTED:
        raise access_fault(ended.console, ended.messages)
    return replace(ended, exit_code=int(said[-1]))
