"""Options that many commands share, and how a command answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aretusa.manifest import Record

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Model = Annotated[Path, typer.Argument(help="Hugging Face directory or GGUF file.")]
TargetName = Annotated[str, typer.Argument(help="Built-in target or a target file.")]
Build = Annotated[Path, typer.Argument(help="Directory that `aretusa compile` wrote.")]


def answer(result: Record, lines: Iterable[str], *, as_json: bool) -> None:
    """The result as one document, or its lines for people."""
    if as_json:
        typer.echo(result.model_dump_json(indent=1))
        return
    for line in lines:
        typer.echo(line)
