"""Tokens per second against the length of the context: decoded tokens at several positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa_sim.program_rows import op_infos
from aretusa_sim.timing import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aretusa.trace.listing import Listing

STRETCHES: Final = 8  # of the context, with a position at each end


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPoint:
    """One decoded token with `position` tokens before it. Cycles are those of the cluster."""

    position: int
    cycles: int
    tokens_per_second: float
    op_cycles: dict[str, int]  # by kind of op: linear, attention, rmsnorm, ...


def context_sweep(
    listing: Listing,
    positions: Sequence[int] | None = None,
    *,
    has_contention: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[SweepPoint]:
    """Time a token at each position, in ascending order; evenly over the context if none is named.

    A first token that is not counted brings pages and caches into the state between two tokens.
    """
    wanted = _even(listing.graph.context) if positions is None else sorted(set(positions))
    infos = op_infos(listing)
    simulator = Simulator(listing, has_contention=has_contention)
    simulator.step(1, wanted[0], has_head=True)
    found: list[SweepPoint] = []
    for number, position in enumerate(wanted, 1):
        timing = simulator.step(1, position, has_head=True)
        ops: dict[str, int] = {}
        for info, row in zip(infos, timing.rows, strict=True):
            ops[info.op] = ops.get(info.op, 0) + row.cycles
        found.append(
            SweepPoint(
                position=position,
                cycles=timing.cycles,
                tokens_per_second=listing.target.clock.cluster_hz / timing.cycles,
                op_cycles=ops,
            )
        )
        if progress is not None:
            progress(number, len(wanted))
    return found


def _even(context: int) -> list[int]:
    """From the first position to the last one."""
    return sorted({(context - 1) * step // STRETCHES for step in range(STRETCHES + 1)})
