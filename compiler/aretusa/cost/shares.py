"""How work is divided among cores, and what a halving tree takes: twin of the kernels' loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aretusa.ir.types import SUM_RUN

LANES: Final = 8  # of a halving tree
PIECES_MAX: Final = 4  # of a run


def ceil_div(count: int, by: int) -> int:
    """Quotient, rounded up."""
    return -(-count // by)


def tree_work(count: int, lanes: int) -> tuple[int, int]:
    """art_tree_halve: its passes over the values, and the sums that they make together."""
    passes, sums, left = 0, 0, count
    while passes == 0 or left > lanes:
        left = max(power_of_two(max(left, LANES)) // LANES, lanes)
        passes, sums = passes + 1, sums + left
    return passes, sums


def power_of_two(count: int) -> int:
    """The smallest one that is no smaller."""
    return 1 << (count - 1).bit_length()


def pieces_per_run(cores: int, rows: int, runs: int) -> int:
    """Where there are fewer runs than cores, runs are divided into up to four pieces."""
    per_run = 1
    while per_run < PIECES_MAX and rows * runs * per_run * 2 <= cores:
        per_run *= 2
    return per_run


@dataclass(frozen=True, slots=True, order=True)
class Share:
    """Of rows that are dealt round robin in pieces, what one core got."""

    elements: int
    pieces: int
    rows: int  # in which it has a piece
    scaled: int  # rows whose scale it computes: those, and every cores-th one

    @classmethod
    def of_all(cls, cores: int, rows: int, depth: int, length: int = SUM_RUN) -> Share:
        """Everything; each of the cores has pieces in so many rows."""
        pieces = ceil_div(depth, length)
        touched = rows * min(cores, pieces)
        return cls(rows * depth, rows * pieces, touched, max(rows, touched))


def busiest_share(cores: int, rows: int, depth: int, length: int = SUM_RUN) -> Share:
    """The share of the core that has most."""
    pieces = ceil_div(depth, length)
    missing = pieces * length - depth  # in the last piece of a row

    def share(core: int) -> Share:
        mine = range(core, rows * pieces, cores)
        short = sum(piece % pieces == pieces - 1 for piece in mine)
        touched = {piece // pieces for piece in mine}
        scaled = touched | set(range(core, rows, cores))
        elements = len(mine) * length - short * missing
        return Share(elements, len(mine), len(touched), len(scaled))

    return max(share(core) for core in range(cores))
