"""The kernels alone on one hart, with the cases and the counting of their tests."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from subjects import ROOT

_TESTS: Final = ROOT / "tests" / "runtime" / "kernels"
if str(_TESTS) not in sys.path:
    sys.path.append(str(_TESTS))

from count_instructions import count, count_all  # noqa: E402 - needs the path above
from kernel_cases import crc_case  # noqa: E402
from kernel_programs import BareMetal  # noqa: E402

CRC_BYTES: Final = 65_536  # a chunk of an image


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedCount:
    """One call of a kernel whose result was checked against NumPy; units as in its test."""

    kernel: str
    instructions: int
    units: int

    @property
    def per_unit(self) -> float:
        """Instructions per multiply-accumulate, element or byte."""
        return self.instructions / self.units


def measure_kernels() -> tuple[IsolatedCount, ...]:
    """Every case of count_instructions.py, and the checksum of a chunk."""
    data = np.random.default_rng(0).integers(0, 256, CRC_BYTES, np.uint8)
    with tempfile.TemporaryDirectory() as name:
        rows = count_all(Path(name))
        checksum = crc_case(data, 0, CRC_BYTES, 0)
        rows += count(BareMetal.build(Path(name)), [(checksum, CRC_BYTES)])
    return tuple(
        IsolatedCount(kernel=row["kernel"], instructions=row["instructions"], units=row["units"])
        for row in rows
    )
