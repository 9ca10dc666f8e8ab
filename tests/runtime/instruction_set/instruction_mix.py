"""What kernels execute, core by core between two barriers, counted by the machine of machine.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from instruction_set import COUNTS, LINE_WORDS, Machine
from kernel_programs import CASE_ARRAYS, CASE_PARAMS, CASE_WORDS, write_blob
from team_programs import BLOB, TeamProgram, memory_of, symbols

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kernel_cases import Case
    from numpy.typing import NDArray

EXP_STEPS: Final = 32
ROWS_MAX: Final = 1 << 18  # of events: cores and phases of all cases
NUMBERS: Final = tuple(name for name in COUNTS if name not in {"case_number", "core"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What one core executed in one phase; accesses by number of the array, or by region."""

    instructions: int
    load_uses: int
    taken_branches: int
    jumps: int
    multiplies: int
    divides: int
    float_operations: int
    float_divides: int
    fetch_refills: int
    code_lines: frozenset[int]
    loads: Mapping[str, int]
    stores: Mapping[str, int]


class MixCounter:
    """The kernels with their harness, and the machine that counts."""

    def __init__(self, folder: Path, kernels: str) -> None:
        self.team = TeamProgram.build(folder, kernels, Machine.build(folder))
        first = symbols(self.team.elf)["art_exp_table"]
        self.exp_table = (first, first + 4 * EXP_STEPS)

    def count(self, cases: Sequence[Case], cores: int) -> list[list[list[Mix]]]:
        """For each case and each phase what each core of the team executed."""
        blob = write_blob(cases)
        blob[4:8] = np.uint32(cores).tobytes()
        run = self.team.machine.run(
            self.team.program,
            [memory_of(blob, len(cases)), *self.team.rooms()],
            cores=cores,
            regions=_regions(blob, len(cases), self.exp_table),
            rows_max=ROWS_MAX,
        )
        found = []
        for case in range(len(cases)):
            turns = run.events[run.events["case_number"] == case].reshape(-1, cores)
            # In the first turn a case is only told to start.
            found.append([[_mix(row) for row in turn] for turn in turns[1:]])
        return found


def _mix(row: NDArray[np.void]) -> Mix:
    bits = np.unpackbits(row["lines"].view(np.uint8), bitorder="little")
    assert bits.size == 32 * LINE_WORDS
    return Mix(
        **{name: int(row[name]) for name in NUMBERS},
        code_lines=frozenset(int(line) for line in np.flatnonzero(bits)),
        loads=_accesses(row["loads"]),
        stores=_accesses(row["stores"]),
    )


def _accesses(counts: NDArray[np.uint32]) -> dict[str, int]:
    """What is of no array and not of the table is the core's own: its stack, and constants."""
    names = [*(str(array) for array in range(CASE_ARRAYS)), "exp_table"]
    found = {name: int(count) for name, count in zip(names, counts, strict=False)}
    found["own"] = int(counts[len(names) :].sum())
    return {name: count for name, count in found.items() if count}


def _regions(blob: bytearray, cases: int, exp_table: tuple[int, int]) -> NDArray[np.uint32]:
    """First and last address of each array and of the table, for each case."""
    words = np.frombuffer(blob, np.uint32, 4 + cases * CASE_WORDS)
    table = words[4:].reshape(cases, CASE_WORDS)[:, 2 + CASE_PARAMS :]
    first = table[:, :CASE_ARRAYS] + BLOB
    last = first + table[:, CASE_ARRAYS : 2 * CASE_ARRAYS]
    arrays = np.stack([first, last], axis=2)
    tables = np.tile(np.array(exp_table, np.uint32), (cases, 1, 1))
    return np.concatenate([arrays, tables], axis=1).astype(np.uint32)
