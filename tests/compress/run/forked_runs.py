"""Runs a recipe again and again in children that are killed at random moments, until one ends.

    python forked_runs.py RECIPE.yaml DIRECTORY SEED KILLS SECONDS

Torch is loaded once; each child is forked from here. A child is killed by SIGKILL after a random
part of SECONDS; after KILLS of them one may finish. If one ends before it is killed, all begins
anew with half the seconds: the machine is faster now than when they were measured. Prints the exit
code of the last child and how many were killed while they worked.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from aretusa_compress.recipe.read import read_recipe
from aretusa_compress.run.determinism import prepare_libraries
from aretusa_compress.run.runner import run_recipe

prepare_libraries()
from aretusa_compress.depth import stage as _depth  # noqa: E402, F401 - loaded before the forks
from aretusa_compress.lora import stage as _lora  # noqa: E402, F401
from aretusa_compress.width import stage as _width  # noqa: E402, F401


def start(recipe: str, directory: Path) -> int:
    """A child that runs the recipe; returns its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run_recipe(read_recipe(recipe), directory)
            code = 0
        finally:
            os._exit(code)
    return child


def main() -> None:
    """See above."""
    recipe, directory = sys.argv[1], Path(sys.argv[2])
    chosen = random.Random(int(sys.argv[3]))  # noqa: S311
    seconds = float(sys.argv[5])
    killed = 0
    for _ in range(int(sys.argv[4])):
        child = start(recipe, directory)
        time.sleep(chosen.uniform(0.0, seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
        elif os.waitstatus_to_exitcode(status) == 0:
            seconds /= 2
            shutil.rmtree(directory)
        else:
            break
    else:
        _, status = os.waitpid(start(recipe, directory), 0)
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {killed}\n")


if __name__ == "__main__":
    main()
