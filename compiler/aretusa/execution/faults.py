"""What the exit codes of the firmware mean, as errors of the user."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Final

from aretusa.errors import FirmwareError

_FAULT_MARK: Final = b"aretusa fault: "
_SANITIZER_MARKS: Final = ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error")
_RECOMPILE: Final = "Compile the model again."
_REPORT: Final = "This is a bug of aretusa: please report it with the command that you ran."


@dataclass(frozen=True, slots=True)
class _Fault:
    """One exit code."""

    code: str
    what: str
    fix: str


# enum art_exit
_FAULTS: Final = {
    10: _Fault("E0801", "a weight image is missing or is no image", _RECOMPILE),
    11: _Fault("E0802", "a weight image has impossible lengths", _RECOMPILE),
    12: _Fault("E0803", "a weight image is damaged", _RECOMPILE),
    13: _Fault("E0804", "a weight image belongs to another program", _RECOMPILE),
    14: _Fault("E0805", "the firmware refuses the request", "Check chunk, tokens and sampling."),
    15: _Fault("E0806", "the tokenizer image does not open", _RECOMPILE),
    16: _Fault("E0807", "a check inside the firmware failed", _REPORT),
    17: _Fault("E0808", "the firmware cannot write its record file", "Make room on the disk."),
    18: _Fault("E0810", "the cores keep floats in other registers than the program", _RECOMPILE),
    19: _Fault(
        "E0811",
        "the chip's cores do not reach what they have to read",
        "Give L2 or SRAM more room with fewer bits, less context or a smaller model; QEMU runs it.",
    ),
    47: _Fault("E0847", "a core trapped", _REPORT),
}


_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
WRONG_FLOATS: Final = 18  # ART_EXIT_FLOATS


def access_fault(console: bytes, messages: str) -> FirmwareError:
    """The error that a virtual platform's stop stands for: an access that leads nowhere."""
    said = _COLOUR.sub("", console.decode(errors="replace") + messages)
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    accesses = [line for line in lines if "invalid" in line.lower()]
    why = (accesses or lines or [""])[-1]
    return FirmwareError("E0847", "a core trapped", why=why, fix=_REPORT)


def exit_fault(exit_code: int, console: bytes, messages: str) -> FirmwareError | None:
    """The error that an exit code other than 0 stands for; None if it is not the firmware's."""
    if exit_code in _FAULTS:
        fault = _FAULTS[exit_code]
        return FirmwareError(fault.code, fault.what, why=last_fault_line(console), fix=fault.fix)
    reports = [line for line in messages.splitlines() if any(m in line for m in _SANITIZER_MARKS)]
    if reports:
        return FirmwareError(
            "E0848", "a sanitizer stopped the program", why=reports[0], fix=_REPORT
        )
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return FirmwareError("E0848", "the program died", why=name, fix=_REPORT)
    return None


def last_fault_line(console: bytes) -> str:
    """What the firmware said last about a fault; empty if it said nothing."""
    _, mark, rest = console.rpartition(_FAULT_MARK)
    return rest.split(b"\n")[0].decode(errors="replace") if mark else ""
