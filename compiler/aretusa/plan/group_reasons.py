"""Why a matrix with groups along its depth runs where it does, in cycles of one token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.memory.linear_plan import tile_bytes
from aretusa.plan.engine_cost import engine_cost
from aretusa.plan.linear_cost import linear_cost
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.memory.linear_plan import LinearPlan
    from aretusa.target.description import Target

HOME = MemoryId.MRAM  # of the weights in these comparisons


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to run the matrix."""

    cycles: int
    size_bytes: int
    jobs: int
    cluster_rows: int

    @property
    def cost(self) -> str:
        """In words."""
        return f"{self.cycles:,} cycles and {self.size_bytes:,} bytes"


def group_reasons(
    plans: Sequence[LinearPlan],
    cluster: LinearPlan,
    per_channel: Sequence[LinearPlan],
    target: Target,
) -> list[str]:
    """A reason for each plan, which names the others' cost.

    `cluster` is the plan without the engine. `per_channel` are plans of the matrix with one 8-bit
    scale per row: what folding the groups' scales into the codes would take.
    """
    ways = [_way(plan, target) for plan in plans]
    here = _way(cluster, target)
    folded = min(_way(plan, target).cycles for plan in per_channel)
    engine = min((way for way in ways if way.jobs), key=lambda way: way.cycles)
    groups = next(len(plan.pieces[0].group_lengths) for plan in plans if plan.pieces)
    other = f"8-bit codes per channel would take {folded:,} but round anew (--requantise --bits 8)"
    return [_reason(way, engine, here, groups) + "; " + other for way in ways]


def _way(plan: LinearPlan, target: Target) -> _Way:
    cost = linear_cost(
        plan,
        1,
        target,
        engine_home=HOME if plan.pieces else None,
        rest_home=HOME if plan.rests else None,
    )
    jobs = engine_cost(plan, plan.pieces[0], 1, target, HOME).jobs if plan.pieces else 0
    size = sum(piece.size_bytes for piece in plan.pieces)
    size += sum(tile_bytes(rest, rest.rows, has_bias=plan.has_bias) for rest in plan.rests)
    return _Way(cost.cycles, size, jobs, plan.rests[0].rows if plan.rests else 0)


def _reason(way: _Way, engine: _Way, here: _Way, groups: int) -> str:
    if way.jobs == 0:
        return f"{here.cost} on the cluster against {engine.cost} in {_jobs(engine, groups)}"
    return f"{_jobs(way, groups)} per token: {way.cost} against {here.cost} on the cluster"


def _jobs(way: _Way, groups: int) -> str:
    beside = f" and {way.cluster_rows} rows on the cluster" if way.cluster_rows else ""
    return f"{way.jobs} jobs for {groups} groups{beside}"
