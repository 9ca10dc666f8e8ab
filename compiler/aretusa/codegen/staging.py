"""An output directory appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aretusa.errors import UsageError
from aretusa.manifest import MANIFEST_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def staged_directory(output: Path) -> Iterator[Path]:
    """Yield a fresh directory beside `output` that takes its place if the block ends well.

    Only an empty directory or an older build is replaced: E0002 otherwise. An older build stays
    whole until the very end.
    """
    check_output(output)
    output = output.absolute()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{output.name[:32]}.", dir=output.parent))
    except OSError as problem:
        raise _refused(output, str(problem)) from problem
    fresh, older = stage / "fresh", stage / "older"
    try:
        fresh.mkdir()
        yield fresh
        if output.is_dir():
            output.replace(older)
        fresh.replace(output)
    except OSError as problem:
        raise _refused(output, str(problem)) from problem
    finally:
        if older.exists() and not output.exists():
            older.replace(output)
        shutil.rmtree(stage, ignore_errors=True)


def check_output(output: Path) -> None:
    """E0002 unless a build may be written there."""
    try:
        why = _obstacle(output)
    except OSError as problem:
        raise _refused(output, str(problem)) from problem
    if why:
        raise _refused(output, why)


def _obstacle(output: Path) -> str:
    if output.is_symlink():
        return "it is a symbolic link"
    if output.exists() and not output.is_dir():
        return "it is a file"
    if output.is_dir() and any(output.iterdir()) and not (output / MANIFEST_FILE).is_file():
        return "it is not empty and not an earlier build"
    return ""


def _refused(output: Path, why: str) -> UsageError:
    return UsageError(
        "E0002",
        "cannot write the build there",
        file=output,
        why=why,
        fix="Give -o a directory that is absent, empty or an earlier build",
    )
