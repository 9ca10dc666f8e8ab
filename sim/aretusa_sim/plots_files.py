"""The plots of a simulation as files. matplotlib is loaded here, and only where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.errors import UsageError
from aretusa_sim.sweep import context_sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa_sim.estimation import Estimate
    from aretusa_sim.generation import Simulation


def check_matplotlib() -> None:
    """E0708 if there is none: before a long simulation, not behind it."""
    import aretusa_sim.plots  # noqa: F401, PLC0415 - to see whether it loads


def draw_plots(
    directory: Path,
    done: Estimate | Simulation,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Time tokens at several positions, then write every plot as SVG and PNG."""
    from aretusa_sim.plots import plots, write_plots  # noqa: PLC0415 - after the check

    model = done.result.model
    sweep = context_sweep(done.listing, has_contention=model.has_contention, progress=progress)
    try:
        return write_plots(directory, plots(done.result, sweep))
    except OSError as problem:
        raise UsageError(
            "E0002",
            "cannot write the plots there",
            file=directory,
            why=str(problem),
            fix="Name a directory that can be written",
        ) from problem
