"""The plots of a simulation as files. matplotlib is loaded here, and only where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.errors import UsageError
from aretusa.report.tables import csv_text
from aretusa_sim.sweep import context_sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa_sim.estimation import Estimate
    from aretusa_sim.generation import Simulation
    from aretusa_sim.sweep import SweepPoint

SWEEP_FILE: Final = "context.csv"


def check_matplotlib() -> None:
    """E0708 if there is none: before a long simulation, not behind it."""
    import aretusa_sim.plots  # noqa: F401, PLC0415 - to see whether it loads


def draw_plots(
    directory: Path,
    done: Estimate | Simulation,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Time tokens at several positions, then write every plot, and those times as a table."""
    from aretusa_sim.plots import plots, write_plots  # noqa: PLC0415 - after the check

    model = done.result.model
    sweep = context_sweep(done.listing, has_contention=model.has_contention, progress=progress)
    try:
        paths = write_plots(directory, plots(done.result, sweep))
        (directory / SWEEP_FILE).write_text(sweep_csv(sweep), "utf-8", newline="")
    except OSError as problem:
        raise UsageError(
            "E0002",
            "cannot write the plots there",
            file=directory,
            why=str(problem),
            fix="Name a directory that can be written",
        ) from problem
    return [*paths, directory / SWEEP_FILE]


def sweep_csv(sweep: list[SweepPoint]) -> str:
    """One line per position, with a column of cycles for each kind of op."""
    columns = ["position", "cycles", "tokens_per_second"]
    kinds = list(dict.fromkeys(kind for point in sweep for kind in point.op_cycles))
    rows: list[dict[str, object]] = [
        {name: getattr(point, name) for name in columns}
        | {f"{kind}_cycles": point.op_cycles.get(kind, 0) for kind in kinds}
        for point in sweep
    ]
    return csv_text([*columns, *(f"{kind}_cycles" for kind in kinds)], rows)
