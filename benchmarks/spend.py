"""What a command costs: seconds, processor seconds, and the largest memory of one process.

As a script, in a process of its own: a child's peak includes that of its parent before the exec,
so that only a small parent measures it well.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KIB: Final = 1024
TIMEOUT_S: Final = 900.0
NO_BYTE_CODE: Final = "PYTHONDONTWRITEBYTECODE"  # would have Python compile the product every time


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Cost of a command with all its children."""

    wall_s: float
    cpu_s: float
    peak_bytes: int  # of the largest process, mapped files included
    stdout: str


def spend(command: Sequence[str], *, cwd: Path) -> Spent:
    """Run a command, which must succeed."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", __file__, *command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != NO_BYTE_CODE},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return Spent(**json.loads(done.stdout))


def _measure(command: Sequence[str]) -> int:
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    wall_s = time.monotonic() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * KIB,
        "stdout": done.stdout,
    }
    sys.stdout.write(json.dumps(found))
    return done.returncode


if __name__ == "__main__":
    sys.exit(_measure(sys.argv[1:]))
