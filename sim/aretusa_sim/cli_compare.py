"""The command `compare`: aretusa.cli adds it to the others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.console import Console

from aretusa.cli_options import Debug, Json, Quiet  # noqa: TC001 - typer reads them
from aretusa.errors import UsageError
from aretusa_sim.build_timing import Length
from aretusa_sim.compare_csv import write_comparison
from aretusa_sim.compare_gates import gate_error
from aretusa_sim.compare_terminal import print_comparison
from aretusa_sim.comparison import compare
from aretusa_sim.progress import progress_bar

if TYPE_CHECKING:
    from aretusa_sim.compare_results import CompareResult

SOURCES = "a file of `simulate --json` or `plan --json`, or a build directory."
Before = Annotated[Path, typer.Argument(metavar="A", help=f"What was before: {SOURCES}")]
After = Annotated[Path, typer.Argument(metavar="B", help=f"What is now: {SOURCES}")]
FailIf = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option(
        "--fail-if",
        metavar="GATE",
        help="Exit with 9 if this holds for B, as in 'cycles>+2%'; may be repeated.",
    ),
]
OptionalInt = Optional[int]  # noqa: UP045
OptionalPath = Optional[Path]  # noqa: UP045
Prefill = Annotated[OptionalInt, typer.Option(min=1, help="Tokens of the prompt of a build.")]
NewTokens = Annotated[OptionalInt, typer.Option(min=1, help="Tokens that a build generates.")]
Csv = Annotated[OptionalPath, typer.Option("--csv", help="Directory for tables.")]


def compare_command(
    before: Before,
    after: After,
    fail_if: FailIf = None,
    prefill: Prefill = None,
    max_new_tokens: NewTokens = None,
    csv: Csv = None,
    quiet: Quiet = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what changed between two results, and why; fail in CI if it got worse.

    Example: aretusa compare before.json after.json --fail-if "cycles>+2%"
    """
    del debug
    with progress_bar("timing tokens", is_quiet=quiet or as_json) as progress:
        result = compare(
            before,
            after,
            fail_if=tuple(fail_if or ()),
            length=Length(prefill_tokens=prefill, decode_tokens=max_new_tokens),
            progress=progress,
        )
    if csv is not None:
        _write(csv, result)
    if as_json:
        typer.echo(result.model_dump_json(indent=1))
    else:
        print_comparison(result, Console())
    error = gate_error(result)
    if error is not None:
        typer.echo(error.line(), err=True)
        raise typer.Exit(int(error.exit_code))


def _write(directory: Path, result: CompareResult) -> None:
    try:
        write_comparison(directory, result)
    except OSError as problem:
        raise UsageError(
            "E0002",
            "cannot write the comparison there",
            file=directory,
            why=str(problem),
            fix="Name a directory that can be written",
        ) from problem
