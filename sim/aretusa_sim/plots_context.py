"""Tokens per second, and what a token consists of, against the positions before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa_sim import plots_style as style
from aretusa_sim.plots_style import Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aretusa_sim.sweep import SweepPoint

KINDS: Final = {
    "linear": ("linear layers", style.BLUE),
    "attention": ("attention", style.ORANGE),
    "": ("all else", style.LIGHT_GREY),
}


def context_plot(points: list[SweepPoint], clock_hz: int) -> Plot:
    """Every point is a token that was timed at its position."""
    first, last = points[0], points[-1]

    def draw(figure: Figure) -> None:
        rate, cycles = figure.subplots(1, 2)
        positions = [point.position for point in points]
        rate.plot(
            positions, [point.tokens_per_second for point in points], "o-", color=style.BLUE, ms=4
        )
        rate.set_ylim(bottom=0)
        rate.set_ylabel("tokens per second")
        rate.set_title(f"speed at {clock_hz / 1e6:g} MHz")
        rate.grid(visible=True)
        known = {op for point in points for op in point.op_cycles} - KINDS.keys()
        cycles.stackplot(
            positions,
            *([_of(point, kind, known) for point in points] for kind in KINDS),
            labels=[name for name, _ in KINDS.values()],
            colors=[colour for _, colour in KINDS.values()],
        )
        cycles.set_title("what a token takes")
        style.count_axis(cycles, "cycles")
        cycles.legend(loc="upper left")
        for axes in (rate, cycles):
            axes.set_xlabel("cached positions before the token")
            axes.set_xlim(0, max(1, last.position))

    return Plot(
        name="context",
        title="Speed against the length of the context",
        caption=f"Decoded tokens timed at {len(points)} positions: "
        f"{first.tokens_per_second:,.2f} tokens/s behind {first.position} cached positions, "
        f"{last.tokens_per_second:,.2f} behind {last.position}.",
        height_inches=3.2,
        draw=draw,
    )


def _of(point: SweepPoint, kind: str, others: set[str]) -> int:
    if kind:
        return point.op_cycles.get(kind, 0)
    return sum(point.op_cycles.get(op, 0) for op in others)
