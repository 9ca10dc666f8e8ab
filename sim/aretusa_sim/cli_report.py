"""The command `report`: the plan of a build, with pictures of its simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from aretusa.cli_options import (
    Build,
    Debug,
    Json,
    Quiet,
    answer,
)
from aretusa.errors import ToolchainError
from aretusa.verbs.report import read_plan, report_build
from aretusa_sim.build_timing import Length, time_build
from aretusa_sim.progress import progress_bar
from aretusa_sim.sweep import context_sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.report.pictures import Picture

OutputDirectory = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option("--output-dir", "-o", help="Directory for the files; BUILD/report."),
]
WithPlots = Annotated[
    Optional[bool],  # noqa: UP045
    typer.Option(
        "--plots/--no-plots",
        help="Simulate the build and draw it, which needs matplotlib; if that is there.",
    ),
]


def report_command(
    build: Build,
    output: OutputDirectory = None,
    plots: WithPlots = None,
    quiet: Quiet = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the plan of a build as a page for the browser, as JSON and as CSV.

    Example: aretusa report build/tiny-orator
    """
    del debug
    drawn: list[Picture] = []
    if plots is not False:
        try:
            with progress_bar("timing tokens", is_quiet=quiet or as_json) as progress:
                drawn = simulation_pictures(build, progress)
        except ToolchainError as missing:
            if plots:
                raise
            why = f"{missing.what} ({missing.why})"
            typer.echo(f"note: no pictures of a simulation: {why}. {missing.fix}", err=True)
    result = report_build(build, output, drawn)
    answer(result, [f"{result.directory}/{name}" for name in result.files], as_json=as_json)


def simulation_pictures(
    build: Path, progress: Callable[[int, int], None] | None = None
) -> list[Picture]:
    """The program of a build, timed for the request that it was planned for; E0708 if undrawn."""
    from aretusa_sim.plots import pictures, plots  # noqa: PLC0415 - the only user of matplotlib

    asked = read_plan(build).options
    length = Length(prefill_tokens=asked.prefill_tokens, decode_tokens=asked.decode_tokens)
    timed = time_build(build, length, progress)
    return pictures(plots(timed.result, context_sweep(timed.listing)))
