"""Nothing of the machine that a file was written on is in the repository."""

from __future__ import annotations

import re
import socket
import subprocess
from typing import TYPE_CHECKING, Final

import pytest
from required_tools import skip_or_fail
from sources import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# A folder that only some machine has; /etc/passwd and the like are found everywhere.
MACHINE_PATH: Final = re.compile(r"(?<![\w./~-])/(?:home|root|Users|work|mnt|opt)/\w")
INTERNAL_HOST: Final = re.compile(r"\b[\w-]+\.(?:internal|intranet|lan|corp)\b(?!\()")
# Names that a source may not contain, in two parts so that this file does not either.
REGISTRIES: Final = ("pypi" + ".org", "files.python" + "hosted", "registry.npm" + "js")
LARGEST_BYTES: Final = 20 * 10**6


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        skip_or_fail("this is no git checkout")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def _texts(paths: list[Path]) -> list[tuple[str, str]]:
    found = []
    for path in paths:
        data = path.read_bytes()
        if b"\0" not in data[:8192] and len(data) < LARGEST_BYTES:
            found.append((path.relative_to(ROOT).as_posix(), data.decode("utf-8", "replace")))
    return found


def test_no_text_names_a_machine(tracked: list[Path]) -> None:
    host = socket.gethostname()
    wrong = []
    for place, text in _texts(tracked):
        for number, line in enumerate(text.splitlines(), 1):
            named = MACHINE_PATH.search(line) or INTERNAL_HOST.search(line)
            listed = [name for name in REGISTRIES if name in line]
            if named or listed or (len(host) > 8 and host in line):
                wrong.append(f"{place}:{number}: {line.strip()[:90]}")
    assert wrong == []


def test_no_tracked_file_is_large(tracked: list[Path]) -> None:
    large = [f"{p.relative_to(ROOT)}: {p.stat().st_size:,}" for p in tracked]
    large = [
        line for line, p in zip(large, tracked, strict=True) if p.stat().st_size > LARGEST_BYTES
    ]
    assert large == []


def test_no_built_file_is_tracked(tracked: list[Path]) -> None:
    endings = {".o", ".elf", ".pyc", ".so", ".whl", ".gguf", ".onnx"}
    assert [str(path.relative_to(ROOT)) for path in tracked if path.suffix in endings] == []
