"""pack(): addresses for buffers by CP-SAT, where first fit finds none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.memory.placement import ALIGN_BYTES, Slot, align

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.memory.placement import Buffer

DETERMINISTIC_LIMIT: Final = 5.0


def pack(buffers: Sequence[Buffer], capacity_bytes: int) -> list[Slot] | None:
    """Rectangles of life and address that do not overlap; None if there are none, or none found.

    One worker and a fixed seed: the same answer everywhere.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415 - slow to load, rarely needed

    model = cp_model.CpModel()
    top = capacity_bytes // ALIGN_BYTES
    starts, across, along = [], [], []
    for buffer in buffers:
        size = align(buffer.size_bytes) // ALIGN_BYTES
        if size > top:
            return None
        start = model.new_int_var(0, top - size, buffer.name)
        life = buffer.last - buffer.first + 1
        starts.append(start)
        across.append(model.new_fixed_size_interval_var(start, size, ""))
        along.append(model.new_fixed_size_interval_var(buffer.first, life, ""))
    model.add_no_overlap_2d(along, across)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = DETERMINISTIC_LIMIT
    if solver.solve(model) not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return None
    return [
        Slot(buffer, solver.value(start) * ALIGN_BYTES)
        for buffer, start in zip(buffers, starts, strict=True)
    ]
