"""`aretusa targets`: list, show, validate."""

from __future__ import annotations

import typer

from aretusa import ui
from aretusa.cli_options import Debug, Json, TargetName, answer
from aretusa.verbs.targets import list_targets, show_target

targets_app = typer.Typer(no_args_is_help=True, help="The chips that can be compiled for, as data.")


@targets_app.command("list")
def targets_list_command(as_json: Json = False, debug: Debug = False) -> None:
    """Name the built-in targets."""
    del debug
    result = list_targets()
    answer(result, result.targets, as_json=as_json)


@targets_app.command("show")
def targets_show_command(
    target: TargetName = "siracusa", as_json: Json = False, debug: Debug = False
) -> None:
    """Show every number of a target with its source.

    Example: aretusa targets show siracusa
    """
    del debug
    result = show_target(target)
    answer(result, ui.target_lines(result), as_json=as_json)


@targets_app.command("validate")
def targets_validate_command(
    target: TargetName, as_json: Json = False, debug: Debug = False
) -> None:
    """Check a target file.

    Example: aretusa targets validate my-board.toml
    """
    del debug
    result = show_target(target)
    answer(result, [f"{result.name}: {len(result.facts)} numbers, sound"], as_json=as_json)
