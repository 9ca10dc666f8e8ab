"""Instructions per multiply-accumulate of the C model on RV32IMFC, counted by QEMU with -icount.

Run as a script to print them; deterministic for one compiler.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    _ROOT = Path(__file__).resolve().parents[3]
    sys.path.append(str(_ROOT / "compiler"))
    sys.path.append(str(_ROOT / "tests" / "compiler" / "neureka"))

from engine_cases import layer_case
from neureka_programs import BareMetal, CJob

from aretusa.neureka.job import TokenGrid, gemv_3x3, linear_1x1

# Mode, rows, depth, bits, tokens -> an upper bound of what was measured.
MEASURED: Final = {
    ("3x3", 8, 252, 4, 1): 9.4,
    ("3x3", 24, 576, 4, 1): 8.7,
    ("3x3", 64, 252, 4, 1): 4.5,
    ("3x3", 576, 252, 4, 1): 3.3,
    ("3x3", 192, 576, 2, 1): 2.7,
    ("3x3", 192, 576, 4, 1): 4.7,
    ("3x3", 192, 576, 8, 1): 8.7,
    ("3x3", 72, 1536, 4, 1): 5.0,
    ("3x3", 192, 576, 4, 4): 4.7,
    ("1x1", 192, 576, 4, 1): 14.3,
    ("1x1", 192, 576, 8, 4): 7.5,
    ("1x1", 64, 576, 8, 36): 5.7,
}


def measured_jobs() -> list[CJob]:
    """The jobs of MEASURED, by one core."""
    jobs = []
    for mode, rows, depth, bits, tokens in MEASURED:
        if mode == "1x1":
            jobs.append(CJob(layer_case(linear_1x1(rows, depth, bits, tokens), depth, None, 0)))
            continue
        grid = TokenGrid(rows=tokens // 2, cols=2) if tokens > 1 else TokenGrid()
        jobs.append(CJob(layer_case(gemv_3x3(rows, depth, bits, grid), depth, grid, 0), step=3))
    return jobs


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        jobs = measured_jobs()
        for key, job, (_, count) in zip(
            MEASURED, jobs, BareMetal.build(Path(name)).run(jobs), strict=True
        ):
            macs = job.case.tokens.size * job.case.shape.out_channels
            sys.stdout.write(f"{key}: {count} instructions, {count / macs:.2f} per MAC\n")
