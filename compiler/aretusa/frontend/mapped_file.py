"""A regular file mapped into memory, and what its first bytes give it away as."""

from __future__ import annotations

import mmap
import os
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SNIFF_BYTES = 512
_LFS_START = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class MappedFile:
    """The bytes of a file; pages are read when they are touched."""

    path: Path
    data: mmap.mmap | bytes

    @property
    def size_bytes(self) -> int:
        """Length of the file when it was opened."""
        return len(self.data)


def map_file(path: Path) -> MappedFile:
    """Map a file for reading; E0100 if it is not a readable regular file."""
    try:
        # Without O_NONBLOCK a named pipe would wait for its writer for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise _unreadable(path, "it is not a regular file")
            data = mmap.mmap(handle, 0, access=mmap.ACCESS_READ) if status.st_size else b""
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from None
    refuse_foreign_content(path, data[:_SNIFF_BYTES])
    return MappedFile(path, data)


@contextmanager
def readable(model: Path) -> Iterator[None]:
    """E0100 for what the system refuses while the files of a model are looked for."""
    try:
        yield
    except OSError as error:
        raise ModelError(
            "E0100",
            "a file of the checkpoint cannot be read",
            file=model,
            why=str(error),
            fix="Check that the files exist and that you may read them.",
        ) from None


def refuse_foreign_content(path: Path, head: bytes) -> None:
    """Raise E0150 if a file starts as a Git LFS pointer, a zip archive or a web page."""
    if head.startswith(_LFS_START):
        size = re.search(rb"\nsize (\d{1,20})\n", head)
        expected = f"{int(size[1]):,} bytes" if size else "the real file"
        raise ModelError(
            "E0150",
            f"this is a Git LFS pointer, {expected} expected",
            file=path,
            fix="Run `git lfs pull` in the checkpoint, or download the file itself.",
        )
    kind = _foreign_kind(head)
    if kind:
        raise ModelError(
            "E0150",
            f"the content is {kind}, not what the file name promises",
            file=path,
            fix="Download the file again and look at its first bytes.",
        )


def _foreign_kind(head: bytes) -> str:
    """What else the first bytes belong to; empty if nothing known."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "a zip archive (or a pickled PyTorch file)"
    if head.startswith(b"\x1f\x8b"):
        return "a gzip archive"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page"
    return ""


def _unreadable(path: Path, why: str) -> ModelError:
    return ModelError(
        "E0100",
        "the file cannot be read",
        file=path,
        why=why,
        fix="Check that the file exists and that you may read it.",
    )
