"""Kernels that turn the sums of groups along the depth into results (finish_groups.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.cost.calls import KernelCall, Phase, Work
from aretusa.cost.shares import ceil_div
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Mapping


def add_group_call(
    cores: int,
    *,
    rows: int,
    tokens: int,
    code_runs: int = 0,
    sums: MemoryId = MemoryId.L1,
    scales: MemoryId = MemoryId.L1,
    totals: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_add_group_sums. With minimums, a token's codes of the group have so many runs of sums.

    `scales` is the memory of the minimums too.
    """
    variant = "value_minimum" if code_runs else "value"
    counts = (
        {"token_minimum": tokens, "run": tokens * code_runs} if code_runs else {"token": tokens}
    )
    phase = _rows_phase(cores, rows * tokens, ceil_div(rows, cores) * tokens, variant, counts)
    places = {"sums": sums, "scales": scales, "totals": totals}
    return KernelCall(kernel="add_group_sums", phases=(phase,), places=places)


def finish_totals_call(
    cores: int,
    *,
    rows: int,
    tokens: int,
    has_bias: bool = False,
    has_residual: bool = False,
    totals: MemoryId = MemoryId.L1,
    scales: MemoryId = MemoryId.L1,
    residual: MemoryId = MemoryId.L1,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_finish_totals; `scales` is the memory of the biases."""
    variant = f"value{'_bias' if has_bias else ''}{'_residual' if has_residual else ''}"
    counts = {"token": tokens}
    phase = _rows_phase(cores, rows * tokens, ceil_div(rows, cores) * tokens, variant, counts)
    places = {"totals": totals, "scales": scales, "residual": residual, "out": out}
    return KernelCall(kernel="finish_totals", phases=(phase,), places=places)


def _rows_phase(
    cores: int, all_values: int, values: int, variant: str, counts: Mapping[str, int]
) -> Phase:
    """Rows in even parts; every core goes through all tokens."""

    def work(mine: int, times: int) -> Work:
        shared = {unit: times * count for unit, count in counts.items()}
        return {"call": times, **shared, variant: mine}

    return Phase(name="all", busiest=(work(values, 1),), all_cores=work(all_values, cores))
