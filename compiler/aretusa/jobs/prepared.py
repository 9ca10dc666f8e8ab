"""Jobs of N-EUREKA whose registers stand in the program: those of a decoded token.

A matrix has them if it lies on the chip with one scale per row: runtime/src/linear/one_token.c.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.neureka.job import gemv_3x3, job_registers, linear_1x1
from aretusa.target.description import MemoryId
from aretusa.trace.units import UnitPlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.trace.layouts import EngineRows
    from aretusa.trace.listing import LinearNumbers, Listing, Matrix

JOBS_MAX: Final = 16  # of a program: they lie near core 0, where there is little room


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """What is the same for every unit of one token with so many rows: all but the addresses."""

    rows: int
    registers: tuple[int, ...]


Pair = tuple[PreparedJob, PreparedJob | None]  # of all units, of a last one with fewer rows


@dataclass(frozen=True, slots=True)
class PreparedJobs:
    """The jobs of a program, and those of each matrix that has them, counted from 1."""

    jobs: tuple[PreparedJob, ...]
    by_matrix: dict[str, tuple[int, int]]

    def numbers(self, matrix: str) -> tuple[int, int]:
        """Of the jobs of a weight; 0 for none."""
        return self.by_matrix.get(matrix, (0, 0))


def prepared_jobs(listing: Listing) -> PreparedJobs:
    """The jobs that most layers use; the program computes the registers of others."""
    found = dict(_pairs(listing))
    numbers: dict[PreparedJob, int] = {}
    for pair, _ in Counter(found.values()).most_common():
        new = [job for job in pair if job is not None and job not in numbers]
        if len(numbers) + len(new) <= JOBS_MAX:
            numbers |= {job: number for number, job in enumerate(new, len(numbers) + 1)}
    by_matrix = {
        matrix: (numbers[job], numbers[last] if last else 0)
        for matrix, (job, last) in found.items()
        if job in numbers and (last is None or last in numbers)
    }
    return PreparedJobs(tuple(numbers), by_matrix)


def _pairs(listing: Listing) -> Iterator[tuple[str, Pair]]:
    """Each matrix of which units of one token can be prepared, and its jobs."""
    pieces = engine_pieces(listing.graph)
    memories = {region.name: region.memory for region in listing.regions}
    for matrix, numbers in _linears(listing):
        engine = matrix.engine
        if engine is None or engine.group or engine.is_unsigned:
            continue
        if memories[matrix.engine_region] is not MemoryId.L3:
            plan = UnitPlan(engine=engine, numbers=numbers, tokens=1, is_paged=False)
            rows = plan.unit_rows
            job, last = (
                one_token_job(engine, count, from_zero=pieces[matrix.name].from_zero)
                for count in (rows, engine.rows % rows or rows)
            )
            yield matrix.name, (job, None if last == job else last)


def _linears(listing: Listing) -> Iterator[tuple[Matrix, LinearNumbers]]:
    """The matrices of linear layers and how they are cut."""
    for part in listing.parts:
        for op, numbers in zip(part.ops, part.linears, strict=True):
            if isinstance(op, ops.Linear) and numbers is not None:
                for row in range(max(len(part.layers), 1)):
                    yield listing.matrices[part.weight(op.weight, row)], numbers


def one_token_job(engine: EngineRows, rows: int, *, from_zero: bool = False) -> PreparedJob:
    """A token with some rows; runtime/src/linear/unit_jobs.c computes the same for other units."""
    if engine.is_1x1:
        shape = linear_1x1(rows, engine.depth, engine.bits, tokens=1, has_prefetch=True)
    else:
        shape = gemv_3x3(rows, engine.depth, engine.bits, has_prefetch=True)
    shape = replace(shape, from_zero=from_zero)
    image = job_registers(shape, weights=0, inputs=0, outputs=0)
    return PreparedJob(rows, tuple(map(int, image)))
