"""Every error of compression that a user can cause, coded as the compiler's are.

CompressError
├── UsageError          a recipe, an option or an output directory is not usable  exit 2
├── ModelError          a file of the model or a text is broken or missing        exit 3
├── UnsupportedError    the model is sound but uses what is not supported         exit 4
├── CapacityError       the work does not fit the memory of this computer         exit 5
├── NumericsError       a loss or a weight is no finite number                    exit 6
└── ToolchainError      a library or a connection is missing                      exit 7

The codes and their meanings stand in aretusa.error_codes; the command prints these errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


class CompressError(Exception):
    """One coded line: what is wrong, in which file, why, and what to do about it."""

    exit_code: ClassVar[int]

    def __init__(
        self, code: str, what: str, *, fix: str, file: Path | str | None = None, why: str = ""
    ) -> None:
        self.code = code
        self.what = what
        self.file = "" if file is None else str(file)
        self.why = why
        self.fix = fix
        place = f"{self.file}: " if self.file else ""
        reason = f" ({why})" if why else ""
        super().__init__(f"error[{code}]: {place}{what}{reason}. {fix}")


class UsageError(CompressError):
    """A recipe, an option or an output directory is not usable."""

    exit_code = 2


class ModelError(CompressError):
    """A file of the model or a text is broken, missing or inconsistent."""

    exit_code = 3


class UnsupportedError(CompressError):
    """The model is sound but uses something that is not supported."""

    exit_code = 4


class CapacityError(CompressError):
    """The work does not fit the memory of this computer; subject and bytes are attributes too."""

    exit_code = 5

    def __init__(
        self, code: str, subject: str, *, need_bytes: int, free_bytes: int, fix: str
    ) -> None:
        self.subject = subject
        self.need_bytes = need_bytes
        self.free_bytes = free_bytes
        what = f"{subject} needs {need_bytes:,} bytes of memory, which has {free_bytes:,} free"
        super().__init__(code, what, fix=fix)


class NumericsError(CompressError):
    """A loss or a weight is not a finite number."""

    exit_code = 6


class ToolchainError(CompressError):
    """A library or a connection is missing."""

    exit_code = 7
