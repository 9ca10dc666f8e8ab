"""Options that many commands share, and how a command answers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from aretusa.execution.firmware import Platform
from aretusa.neureka.linear import Engine
from aretusa.options import AUTO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aretusa.manifest import Record

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Model = Annotated[Path, typer.Argument(help="Hugging Face directory or GGUF file.")]
TargetName = Annotated[str, typer.Argument(help="Built-in target or a target file.")]
Bits = Annotated[
    Optional[int],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option(help="Bits per weight, 2 to 8, one scale per row: short for --weights wN."),
]
KvBits = Annotated[
    str,
    typer.Option(help="Bits of cached keys and values: 8, 4, or 8:4 for keys and values apart."),
]
Policy = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="TOML file whose rules give schemes to weights by name."),
]
Adapter = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Directory of a LoRA or EoRA adapter that peft saved for the model."),
]
Build = Annotated[Path, typer.Argument(help="Directory that `aretusa compile` wrote.")]


class RunPlatform(StrEnum):
    """What `run --platform` takes."""

    HOST = "host"
    QEMU = "qemu"
    QEMU_ZFINX = "qemu-zfinx"
    GVSOC = "gvsoc"

    @property
    def platform(self) -> Platform:
        """What the program is built for."""
        return Platform.SIRACUSA if self is RunPlatform.GVSOC else Platform(self.value)


class EngineChoice(StrEnum):
    """What `--engine` takes: an engine for every linear layer, or the planner's choice."""

    AUTO = AUTO
    CLUSTER = Engine.CLUSTER.value
    NEUREKA_1X1 = Engine.NEUREKA_1X1.value
    NEUREKA_3X3 = Engine.NEUREKA_3X3.value
    SPLIT = Engine.SPLIT.value

    @property
    def engine(self) -> Engine | None:
        """None leaves the choice to the planner."""
        return None if self is EngineChoice.AUTO else Engine(self.value)


def answer(result: Record, lines: Iterable[str], *, as_json: bool) -> None:
    """The result as one document, or its lines for people."""
    if as_json:
        typer.echo(result.model_dump_json(indent=1))
        return
    for line in lines:
        typer.echo(line)
