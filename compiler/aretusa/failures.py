"""What went wrong as one line on stderr, one JSON document if asked for, and an exit code."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING

import typer
from typer.exceptions import TyperException

from aretusa.errors import AretusaError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


class CompilerBugError(AretusaError):
    """What no user can cause."""

    exit_code = ExitCode.INTERNAL


def report_failure(problem: Exception, arguments: Sequence[str]) -> int:
    """Tell the user; returns the exit code."""
    if isinstance(problem, TyperException) and not arguments:
        typer.echo(problem.format_message(), err=True)  # the text of --help
        return ExitCode.USAGE
    error = _coded(problem)
    if "--debug" in arguments:
        traceback.print_exception(problem)
    if "--json" in arguments:
        typer.echo(json.dumps({"schema_version": 1, "error": error.record()}, indent=1))
    typer.echo(error.line(), err=True)
    return int(error.exit_code)


def _coded(problem: Exception) -> AretusaError:
    if isinstance(problem, AretusaError):
        return problem
    if isinstance(problem, TyperException):
        return UsageError(
            "E0004",
            " ".join(problem.format_message().split()).rstrip("."),
            fix="See `aretusa --help` or `aretusa COMMAND --help`",
        )
    return CompilerBugError(
        "E0900",
        f"internal error: {type(problem).__name__}",
        why=str(problem),
        fix="This is a bug of the tool; run again with --debug and report it",
    )
