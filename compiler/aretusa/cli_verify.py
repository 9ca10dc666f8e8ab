"""The command verify: arguments in, exit code out."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import Annotated, Optional

import typer

from aretusa import ui
from aretusa.cli_options import Adapter, Build, Debug, Json, answer
from aretusa.errors import ExitCode, UsageError
from aretusa.verbs.verify import VerifyOptions, verify_build
from aretusa.verbs.verify_quality import DEFAULT_WINDOW, QualityOptions, judge_quality


def verify_command(
    build: Build,
    prompt_tokens: Annotated[int, typer.Option(help="Length of the prompt.")] = 32,
    new_tokens: Annotated[int, typer.Option(help="Tokens to generate.")] = 16,
    quality: Annotated[bool, typer.Option(help="Also judge against the float model.")] = False,
    model: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(help="The checkpoint of the build, for --quality."),
    ] = None,
    adapter: Adapter = None,
    text: Annotated[
        Optional[list[Path]],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(help="Held-out text for --quality; may be repeated."),
    ] = None,
    window: Annotated[int, typer.Option(help="Tokens per window of text.")] = DEFAULT_WINDOW,
    windows: Annotated[int, typer.Option(help="Windows per text.")] = 3,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare NumPy, ONNX Runtime, host C and RV32 C in QEMU (and GVSoC), bit for bit.

    Example: aretusa verify build/tiny-orator
    """
    del debug
    if not as_json:
        typer.echo(ui.EXECUTION_HEADER)
    result = verify_build(
        build,
        VerifyOptions(prompt_tokens=prompt_tokens, new_tokens=new_tokens),
        on_result=None if as_json else lambda one: typer.echo(ui.execution_line(one)),
    )
    if quality:
        if model is None:
            raise UsageError("E0003", "--quality needs the checkpoint", fix="Give --model MODEL")
        options = QualityOptions(
            texts=tuple(text or ()), window=window, windows=windows, adapter=adapter
        )
        judged = judge_quality(build, model, options)
        result = result.model_copy(update={"quality": judged})
    answer(result, ui.verify_lines(result), as_json=as_json)
    if not result.passed:
        raise typer.Exit(ExitCode.NUMERICS)
