"""All plots of a simulation, as files or as pictures of the report. Needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.report.pictures import Picture
from aretusa_sim.plots_context import context_plot
from aretusa_sim.plots_layers import cycles_plot, energy_plot
from aretusa_sim.plots_memory import memory_plot
from aretusa_sim.plots_roofline import roofline_plot
from aretusa_sim.plots_style import rendered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aretusa_sim.plots_style import Format, Plot
    from aretusa_sim.results import SimulationResult
    from aretusa_sim.sweep import SweepPoint

FORMATS: Final[tuple[Format, ...]] = ("svg", "png")


def plots(result: SimulationResult, sweep: list[SweepPoint]) -> list[Plot]:
    """Everything that can be drawn of a simulation."""
    return [
        cycles_plot(result),
        roofline_plot(result),
        energy_plot(result),
        context_plot(sweep, result.clock_hz),
        memory_plot(result),
    ]


def pictures(drawn: Sequence[Plot]) -> list[Picture]:
    """The same for the report's page."""
    return [
        Picture(
            name=plot.name,
            title=plot.title,
            caption=plot.caption,
            svg=rendered(plot, "svg").decode("utf-8"),
        )
        for plot in drawn
    ]


def write_plots(directory: Path, drawn: Sequence[Plot]) -> list[Path]:
    """Each plot as SVG and PNG; returns the files."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for plot in drawn:
        for form in FORMATS:
            path = directory / f"{plot.name}.{form}"
            path.write_bytes(rendered(plot, form))
            paths.append(path)
    return paths
