"""GPTQModel in a process of its own: quantised checkpoints in groups, and branches for them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.errors import ToolchainError

if TYPE_CHECKING:
    from torch import Tensor

_SHOWN_LINES: Final = 3  # of what the library said last


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where the library computes: "cpu" or "cuda", its threads, and the seed."""

    device: str
    threads: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """How the library quantises: `group` inputs of a row share a scale and a zero point.

    With `reorder` strong inputs come first while it rounds, not in what it writes.
    """

    bits: int
    group: int
    symmetric: bool
    reorder: bool
    damping: float


def quantise_with_library(
    model: Path, output: Path, windows: Tensor, grouping: Grouping, machine: Machine
) -> None:
    """Write a GPTQ checkpoint of `model`; `windows` are ids [count, length] to calibrate with.

    Raises ToolchainError E0531 with the library's last words if it fails.
    """
    work = {"work": "quantise", "model": str(model.resolve()), **asdict(grouping)}
    _run(work, output, windows, machine)


def branches_with_library(
    original: Path, quantised: Path, output: Path, windows: Tensor, *, rank: int, machine: Machine
) -> None:
    """Write EoRA's adapter in PEFT's format for a GPTQ checkpoint. Raises ToolchainError E0531."""
    work = {
        "work": "branches",
        "original": str(original.resolve()),
        "model": str(quantised.resolve()),
        "rank": rank,
    }
    _run(work, output, windows, machine)


def _run(work: dict[str, Any], output: Path, windows: Tensor, machine: Machine) -> None:
    job = {
        **work,
        **asdict(machine),
        "output": str(output.resolve()),
        "windows": windows.tolist(),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job), "utf-8")
        command = [sys.executable, "-m", "aretusa_compress.gptq.library_worker", str(path)]
        code, said = _finished(command, folder)
    if code != 0:
        raise ToolchainError(
            "E0531",
            "GPTQModel could not do its work",
            why=_last_words(said.decode("utf-8", "replace")),
            fix="Check the stage's options; `group: channel` needs no library",
        )


def _finished(command: list[str], folder: str) -> tuple[int, bytes]:
    """Exit code of the worker and what it said; its stdin stays open as long as this process."""
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=nothing, stderr=pipe) as worker:
        assert worker.stderr is not None
        try:
            said = worker.stderr.read()
            return worker.wait(), said
        except BaseException:
            worker.kill()
            raise


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-_SHOWN_LINES:])[:400] or "it said nothing"
