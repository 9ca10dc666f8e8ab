"""How rooflines look in a terminal of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from aretusa.report.numbers import count_text, percent_text, rate_text
from aretusa_sim.limits import limit_of

if TYPE_CHECKING:
    from aretusa_sim.limit_results import LimitResult
    from aretusa_sim.results import OpResult, PhaseResult, SimulationResult

ROWS: Final = 8  # of ops, those that lose most


def limits_table(result: SimulationResult, phase: PhaseResult) -> Table:
    """All ops, the linear layers, and the ops of all layers that are farthest from their limits."""
    limits = result.limits
    found = limits.phase(phase.phase)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(Text(f"limit, a token of {phase.phase}"), overflow="fold")
    table.add_column("bound by")
    for heading in ("limit", "cycles", "reached", "unit busy"):
        table.add_column(heading, justify="right")
    groups: dict[str, list[OpResult]] = {}
    for op in phase.ops:
        groups.setdefault(op.name, []).append(op)
    rows = {name: limit_of(own, limits.rates) for name, own in groups.items()}
    most = sorted(rows.items(), key=lambda item: item[1].limit_cycles - item[1].cycles)[:ROWS]
    for name, limit in (("all ops", found.total), ("linear layers", found.linear), *most):
        if limit.bound is not None:
            table.add_row(*_cells(name, limit, phase.tokens))
    best = found.total.limit_cycles
    rate = rate_text(result.clock_hz * phase.tokens / best) if best else "any number of"
    table.caption = (
        "limit: cycles of the busiest resource at its full rate; all ops at their "
        f"limit: {rate} tokens/s"
    )
    return table


def _cells(name: str, limit: LimitResult, tokens: int) -> tuple[Text | str, ...]:
    busy = limit.busy_cycles
    return (
        Text(name),
        limit.bound or "",
        count_text(limit.limit_cycles / tokens),
        count_text(limit.cycles / tokens),
        percent_text(limit.limit_cycles, limit.cycles),
        "" if busy is None else percent_text(busy, limit.cycles),
    )
