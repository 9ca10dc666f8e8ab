"""The command `compress`: a recipe's stages, run by the package aretusa_compress if it is there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Optional

import typer

from aretusa import errors
from aretusa.cli_interrupt import interruptible
from aretusa.cli_options import Debug, Json, Quiet  # noqa: TC001 - typer reads them
from aretusa_compress import errors as compress_errors

if TYPE_CHECKING:
    from aretusa_compress.recipe.schema import Recipe

# What the extra `compress` installs and nothing else does.
_NEEDED: Final = ("torch", "transformers", "peft", "yaml", "psutil")

RecipeName = Annotated[
    Optional[str],  # noqa: UP045 - typer reads the annotation at run time
    typer.Argument(help="YAML file, or a preset that --list-presets names."),
]
Output = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--output-dir", "-o", help="Directory for the stages."),
]
Budgets = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--budget", help="Of --fit: mram=4MiB, tokens_per_s>=400, uJ<=300, bits<=5."),
]
Changes = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--set", help="KEY=VALUE of the recipe, such as data.calibration.samples=8."),
]


def compress_command(
    recipe: RecipeName = None,
    output: Output = None,
    only: Annotated[str, typer.Option(help="Run this stage alone: depth or 1-depth.")] = "",
    resume: Annotated[
        bool, typer.Option(help="Keep stages that are there and still current.")
    ] = True,
    changes: Changes = None,
    fit: Annotated[
        str, typer.Option(help="Choose bits per matrix for this target; needs --budget.")
    ] = "",
    objective: Annotated[str, typer.Option(help="Of --fit: kl or ppl.")] = "kl",
    budget: Budgets = None,
    list_presets: Annotated[bool, typer.Option("--list-presets", help="And exit.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make a checkpoint smaller by the stages of a recipe; each stage is a checkpoint of its own.

    Example: aretusa compress recipe.yaml -o build/smaller

    With --fit a model or a recipe gets the bits per matrix that suit a chip best.

    Example: aretusa compress my-llama --fit siracusa --budget mram=4MiB -o build/fitted
    """
    del debug
    require_compression()
    try:
        if list_presets:
            _list_presets(as_json=as_json)
        else:
            asked = _asked(recipe, changes or [], fit, objective, budget or [])
            _run(asked, output, only, resume=resume, show=(as_json, quiet))
    except compress_errors.CompressError as problem:
        raise coded(problem) from problem


def require_compression() -> None:
    """Raise ToolchainError E0720 unless the extra is installed."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise errors.ToolchainError(
            "E0720",
            f"compression needs {', '.join(missing)}",
            why="not installed; the compiler does without",
            fix="pip install 'aretusa[compress]', or make setup-compress in a checkout",
        )


def coded(problem: compress_errors.CompressError) -> errors.AretusaError:
    """An error of aretusa_compress as one of the command."""
    if isinstance(problem, compress_errors.CapacityError):
        return errors.CapacityError(
            problem.code,
            what=problem.subject,
            memory="this computer's memory",
            need_bytes=problem.need_bytes,
            free_bytes=problem.free_bytes,
            fix=problem.fix,
        )
    kind = getattr(errors, type(problem).__name__)
    found = kind(
        problem.code, problem.what, file=problem.file or None, why=problem.why, fix=problem.fix
    )
    assert isinstance(found, errors.AretusaError), "both packages name kinds of errors alike"
    return found


def _asked(
    recipe: str | None, changes: list[str], fit: str, objective: str, budgets: list[str]
) -> Recipe:
    """The recipe that the command line means."""
    from aretusa_compress.fit.recipe import fit_recipe  # noqa: PLC0415 - an optional package
    from aretusa_compress.recipe.read import read_recipe  # noqa: PLC0415

    if recipe is None:
        raise _nothing_given()
    if fit:
        return fit_recipe(recipe, fit, objective, budgets, changes)
    if budgets:
        raise errors.UsageError(
            "E0003", "--budget means nothing without --fit", fix="Add --fit siracusa"
        )
    return read_recipe(recipe, changes)


def _nothing_given() -> errors.UsageError:
    return errors.UsageError(
        "E0003", "a recipe and -o DIR are needed", fix="Or ask for --list-presets"
    )


def _run(
    asked: Recipe, output: Path | None, only: str, *, resume: bool, show: tuple[bool, bool]
) -> None:
    from aretusa_compress.run.runner import run_recipe  # noqa: PLC0415 - an optional package
    from aretusa_compress.terminal import Bars, result_lines  # noqa: PLC0415

    if output is None:
        raise _nothing_given()
    as_json, quiet = show
    with interruptible(output), Bars(quiet=quiet or as_json) as bars:
        result = run_recipe(asked, output, only=only, resume=resume, progress=bars)
    if as_json:
        typer.echo(result.model_dump_json(indent=1))
    else:
        for line in result_lines(result):
            typer.echo(line)


def _list_presets(*, as_json: bool) -> None:
    import json  # noqa: PLC0415

    from aretusa_compress.recipe.presets import PRESETS  # noqa: PLC0415 - an optional package

    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "presets": list(PRESETS)}, indent=1))
        return
    for name in PRESETS:
        typer.echo(name)
