"""Bytes alive in each memory, epoch after epoch of the schedule."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from aretusa_sim import plots_style as style
from aretusa_sim.plots_style import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aretusa_sim.results import OccupancyResult, SimulationResult

COLOURS: Final = {
    "l1": style.PINK,
    "l2": style.ORANGE,
    "sram": style.SKY,
    "mram": style.GREEN,
    "l3": style.RED,
}
NAME_LENGTH: Final = 26
MARGIN: Final = 1.12  # of the tallest step, above it


def memory_plot(result: SimulationResult) -> Plot:
    """A panel for each memory that holds anything."""
    used = [one for one in result.occupancy if any(one.alive_bytes)]

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(used), 1, sharex=True, squeeze=False)[:, 0]
        for axes, one in zip(panels, used, strict=True):
            _draw(axes, one)
        _name_epochs(panels[-1], result.epochs)
        for start, name in _stretches(result.epochs):
            for axes in panels:
                axes.axvline(start, color=style.INK, linewidth=0.7, linestyle=":")
            panels[0].annotate(
                name,
                xy=(start, 1),
                xycoords=panels[0].get_xaxis_transform(),
                xytext=(4, -8),
                textcoords="offset points",
            )

    return Plot(
        name="memory",
        title="Memory over time",
        caption="Bytes alive in each epoch of one step, of what the plan may use. Weights, caches "
        "and rings live through all epochs, buffers while they are needed.",
        height_inches=1.2 + 1.05 * len(used),
        draw=draw,
    )


def _draw(axes: Axes, one: OccupancyResult) -> None:
    kib = [size / 1024 for size in one.alive_bytes]
    edges = range(len(kib) + 1)
    axes.stairs(kib, edges, fill=True, color=COLOURS[one.memory], alpha=0.75)
    axes.set_ylim(0, MARGIN * max(kib))
    axes.set_xlim(0, len(kib))
    share = max(one.alive_bytes) / one.capacity_bytes
    axes.set_title(
        f"{one.memory.upper()}: at most {max(kib):,.1f} of {one.capacity_bytes / 1024:,.0f} KiB, "
        f"{100 * share:.0f} %"
    )
    axes.set_ylabel("KiB")
    axes.grid(visible=True, axis="y")


def _name_epochs(axes: Axes, epochs: list[str]) -> None:
    """What runs in each of them, in short."""
    names = [epoch.removeprefix("layer: ") for epoch in epochs]
    short = [name if len(name) <= NAME_LENGTH else f"{name[:NAME_LENGTH]}..." for name in names]
    places = [number + 0.5 for number in range(len(epochs))]
    axes.set_xticks(places, short, rotation=24, ha="right", rotation_mode="anchor", fontsize=7)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("epochs of the schedule")


def _stretches(epochs: list[str]) -> list[tuple[int, str]]:
    """Where the embedding, which is too narrow for a name, the layers and the head begin."""
    runs = groupby(enumerate(epochs), key=lambda item: item[1].startswith("layer: "))
    starts = [next(run)[0] for _, run in runs]
    names = ["", "each layer, one after another", "head"]
    return list(zip(starts, names, strict=False))
