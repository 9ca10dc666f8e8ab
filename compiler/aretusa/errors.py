"""Every error that a user can cause.

AretusaError
├── UsageError          the command or an option is not usable             exit 2
├── ModelError          a file of the model is broken or inconsistent       exit 3
├── UnsupportedError    the model is sound but uses what is not supported   exit 4
├── CapacityError       the program does not fit a memory                   exit 5
├── SolverError         whether it fits was not found out                   exit 5
├── NumericsError       two executions differ, or quality is out of bounds  exit 6
├── ToolchainError      a compiler, an emulator or a runtime is missing     exit 7
├── FirmwareError       the compiled program reported a fault               exit 8
├── GateError           a condition of `aretusa compare` holds              exit 9
└── PlanError           the checker refuses a plan: a bug of the planner    exit 1

Anything else that escapes (AssertionError, KeyError, ...) is a bug of the compiler: exit 1.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


class ExitCode(IntEnum):
    """What the process returns; the same numbers for every verb."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    MODEL = 3
    UNSUPPORTED = 4
    CAPACITY = 5
    NUMERICS = 6
    TOOLCHAIN = 7
    FIRMWARE = 8
    GATE = 9
    INTERRUPTED = 130


class AretusaError(Exception):
    """One coded line: what is wrong, in which file, why, and what to do about it."""

    exit_code: ClassVar[ExitCode]

    def __init__(
        self, code: str, what: str, *, fix: str, file: Path | str | None = None, why: str = ""
    ) -> None:
        self.code = code
        self.what = what
        self.file = "" if file is None else str(file)
        self.why = why
        self.fix = fix
        super().__init__(self.line())

    def line(self) -> str:
        """The error as one line of text: `error[E0104]: FILE: WHAT (WHY). FIX`."""
        place = f"{self.file}: " if self.file else ""
        reason = f" ({self.why})" if self.why else ""
        text = f"error[{self.code}]: {place}{self.what}{reason}. {self.fix}"
        return "".join(c if c.isprintable() else "?" for c in text)

    def record(self) -> dict[str, str | int]:
        """The error as it appears in `--json` output."""
        return {
            "code": self.code,
            "what": self.what,
            "file": self.file,
            "why": self.why,
            "fix": self.fix,
            "exit_code": int(self.exit_code),
        }


class UsageError(AretusaError):
    """The command line, an option or an output directory is not usable."""

    exit_code = ExitCode.USAGE


class ModelError(AretusaError):
    """A file of the checkpoint is broken, hostile or inconsistent with the others."""

    exit_code = ExitCode.MODEL


class UnsupportedError(AretusaError):
    """The model is sound but uses something this compiler does not do."""

    exit_code = ExitCode.UNSUPPORTED


class CapacityError(AretusaError):
    """Something does not fit a memory; the shortage is an attribute too."""

    exit_code = ExitCode.CAPACITY

    def __init__(
        self, code: str, *, what: str, memory: str, need_bytes: int, free_bytes: int, fix: str
    ) -> None:
        self.memory = memory
        self.need_bytes = need_bytes
        self.free_bytes = free_bytes
        self.missing_bytes = need_bytes - free_bytes
        super().__init__(
            code,
            f"{what} needs {need_bytes:,} bytes of {memory}, which has {free_bytes:,} free",
            why=f"{self.missing_bytes:,} too few",
            fix=fix,
        )


class SolverError(AretusaError):
    """The solver's limit came before an answer: neither a plan nor a proof that there is none."""

    exit_code = ExitCode.CAPACITY


class NumericsError(AretusaError):
    """Two executions of one program differ, or its quality is out of bounds."""

    exit_code = ExitCode.NUMERICS


class ToolchainError(AretusaError):
    """A compiler, an emulator or a runtime is missing or failed."""

    exit_code = ExitCode.TOOLCHAIN


class FirmwareError(AretusaError):
    """The compiled program stopped with a fault code."""

    exit_code = ExitCode.FIRMWARE


class GateError(AretusaError):
    """A condition under which a comparison was asked to fail."""

    exit_code = ExitCode.GATE


class PlanError(AretusaError):
    """A plan breaks a rule of the checker, which shares nothing with the planner."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, code: str, *, rule: str, where: str, numbers: str) -> None:
        self.rule = rule
        self.where = where
        self.numbers = numbers
        super().__init__(
            code,
            f"the plan is wrong at {where}: {rule}",
            why=numbers,
            fix="This is a bug of the tool; report it with the command",
        )
