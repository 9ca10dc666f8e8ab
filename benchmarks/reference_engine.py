"""llama.cpp beside which the host program is measured, in an environment of its own.

`python benchmarks/reference_engine.py` makes the environment; it compiles for ten minutes or more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from subjects import ROOT, NotMeasured

if TYPE_CHECKING:
    from subjects import Subject

ENVIRONMENT: Final = ROOT / ".cache" / "bench-venv"
PYTHON_VARIABLE: Final = "ARETUSA_BENCH_PYTHON"  # another Python that has the package
PACKAGE: Final = "llama-cpp-python"
VERSION: Final = "0.3.36"  # with its own copy of llama.cpp
TIMEOUT_S: Final = 600.0
# Its threads spin while they wait, which on cores that others want too costs it up to a hundred
# times its speed; sleeping costs it a little where the cores are free.
WAITING: Final = {"OMP_WAIT_POLICY": "passive"}
_SCRIPT: Final = Path(__file__).with_name("llama_decode.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRun:
    """One greedy run of the reference engine."""

    version: str
    system: str
    prompt: list[int]
    tokens: list[int]
    prefill_s: float
    decode_s: float  # of all tokens but the first
    decode_cpu_s: float


def reference_python() -> Path:
    """The interpreter that should have the reference engine."""
    named = os.environ.get(PYTHON_VARIABLE)
    return Path(named) if named else ENVIRONMENT / "bin" / "python"


def run_reference(
    subject: Subject, prompt: str, tokens: int, *, threads: int
) -> ReferenceRun | NotMeasured:
    """Decode greedily; NotMeasured if the engine is not there or fails."""
    command = [reference_python(), _SCRIPT, subject.path, prompt, str(tokens), str(threads)]
    try:
        done = subprocess.run(
            [*map(str, command)],
            env=WAITING | os.environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return NotMeasured(_advice(type(problem).__name__))
    if done.returncode != 0:
        return NotMeasured(_advice((done.stderr.strip().splitlines() or ["no message"])[-1]))
    return ReferenceRun(**json.loads(done.stdout))


def _advice(why: str) -> str:
    return (
        f"{PACKAGE} does not run ({why}); `python benchmarks/reference_engine.py` installs it "
        f"apart from the product"
    )


def install() -> None:
    """Make the environment and build the package from its sources for this machine."""
    venv.create(ENVIRONMENT, with_pip=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install"]
    options = {**os.environ, "CMAKE_ARGS": "-DLLAVA_BUILD=OFF"}  # no vision
    subprocess.run([*pip, f"{PACKAGE}=={VERSION}", *sys.argv[1:]], check=True, env=options)


if __name__ == "__main__":
    install()
