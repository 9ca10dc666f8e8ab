"""Arguments in, exit code and one-line errors out; no logic."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from aretusa import ui
from aretusa.cli_compress import compress_command
from aretusa.cli_eval import eval_command
from aretusa.cli_options import (
    Adapter,
    Bits,
    Build,
    Debug,
    EngineChoice,
    Json,
    KvBits,
    Model,
    Policy,
    Quiet,
    RunPlatform,
    answer,
)
from aretusa.cli_plan import plan_command
from aretusa.cli_targets import targets_app
from aretusa.cli_verify import verify_command
from aretusa.driver import compile_model
from aretusa.errors import ExitCode, UsageError
from aretusa.execution.firmware import Platform, build_firmware
from aretusa.failures import report_failure
from aretusa.ir.text import print_graph
from aretusa.manifest import read_manifest
from aretusa.options import DEFAULT_KV_BITS, DEFAULT_WEIGHTS, CompileOptions
from aretusa.passes.pipeline import LOWERING
from aretusa.tokenizer.chat import SMOLLM2_SYSTEM
from aretusa.verbs.doctor import examine_machine
from aretusa.verbs.inspect import inspect_model
from aretusa.verbs.prompt import Prompt
from aretusa.verbs.run import RunOptions, run_program
from aretusa.version import TOOL
from aretusa_sim.cli_compare import compare_command
from aretusa_sim.cli_report import report_command
from aretusa_sim.cli_simulate import simulate_command

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Compile LLaMA-family models to bare-metal C for the Siracusa SoC.\n\n"
    "Example: aretusa compile examples/models/tiny-orator -o build/tiny-orator",
)
app.add_typer(targets_app, name="targets")
app.command("compress")(compress_command)
app.command("eval")(eval_command)
app.command("plan")(plan_command)
app.command("report")(report_command)
app.command("verify")(verify_command)
app.command("simulate")(simulate_command)
app.command("compare")(compare_command)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(TOOL)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="And exit.")
    ] = False,
) -> None:
    del version


@app.command("compile")
def compile_command(
    model: Model,
    output: Annotated[Path, typer.Option("--output-dir", "-o", help="Where the build goes.")],
    weights: Annotated[
        str, typer.Option(help="Scheme for real weights: w8, w8g32, w4g32, w4g64, w4g128, ...")
    ] = DEFAULT_WEIGHTS,
    bits: Bits = None,
    policy: Policy = None,
    requantise: Annotated[
        bool, typer.Option(help="Quantise codes of a quantised checkpoint anew.")
    ] = False,
    adapter: Adapter = None,
    engine: Annotated[
        EngineChoice, typer.Option(help="What runs the linear layers.")
    ] = EngineChoice.AUTO,
    context: Annotated[
        Optional[int],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(help="Positions of the KV cache; 512 or what the model allows."),
    ] = None,
    chunk: Annotated[
        Optional[int],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(help="Most tokens of one prefill step; what the planner finds best."),
    ] = None,
    kv_bits: KvBits = DEFAULT_KV_BITS,
    target: Annotated[str, typer.Option(help="Built-in target or a target file.")] = "siracusa",
    platform: Annotated[
        Optional[Platform],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(help="Also build the program for it, which run does when it has to."),
    ] = None,
    dump_after: Annotated[
        str, typer.Option(help="Print the graph after this pass (or 'all') on stderr.")
    ] = "",
    force: Annotated[bool, typer.Option(help="Compile even if the build is up to date.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compile a checkpoint into C sources and weight images.

    Example: aretusa compile examples/models/tiny-orator -o build/tiny-orator --weights w4g32
    """
    del debug
    options = CompileOptions(
        weights=weights,
        bits=bits,
        policy=policy,
        requantise=requantise,
        adapter=adapter,
        engine=engine.engine,
        context=context,
        chunk=chunk,
        kv_bits=kv_bits,
        target=target,
    )

    stages = ["all", *(step.name for step in LOWERING)]
    if dump_after and dump_after not in stages:
        raise UsageError(
            "E0003",
            f"there is no pass {dump_after!r}",
            fix=f"Choose --dump-after from {', '.join(stages)}",
        )

    def dump(name: str, graph: Graph) -> None:
        if dump_after in {name, "all"}:
            typer.echo(f"# after {name}\n{print_graph(graph)}", err=True)

    with ui.TerminalProgress(quiet=quiet) as progress:
        result = compile_model(
            model,
            output,
            options,
            force=force or bool(dump_after),  # a build that is kept goes through no pass
            progress=progress,
            observe=dump,
        )
    for warning in result.manifest.warnings:
        typer.echo(warning, err=True)
    state = "up to date" if result.reused else "compiled"
    lines = [*ui.manifest_lines(result.manifest), f"files    {result.build} ({state})"]
    if platform is not None:
        lines.append(f"program  {build_firmware(output, platform).program}")
    answer(result, lines, as_json=as_json)


@app.command("run")
def run_command(
    build: Build,
    prompt: Annotated[str, typer.Option(help="Text to continue, or the question with --chat.")],
    platform: Annotated[
        RunPlatform, typer.Option(help="Where the program runs.")
    ] = RunPlatform.QEMU,
    max_new_tokens: Annotated[int, typer.Option(min=0, help="Stop after so many tokens.")] = 64,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest token.")] = 0.0,
    top_p: Annotated[
        float, typer.Option(help="Draw from the likeliest tokens of this mass.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    chat: Annotated[bool, typer.Option(help="Ask in ChatML, for instruction models.")] = False,
    system: Annotated[str, typer.Option(help="System text of --chat.")] = SMOLLM2_SYSTEM,
    chunk: Annotated[int, typer.Option(min=0, help="Prompt tokens per step; 0: the most.")] = 0,
    cores: Annotated[int, typer.Option(min=1, max=8, help="Harts or threads.")] = 8,
    xpulp: Annotated[
        Optional[bool],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(
            "--xpulp/--portable", help="Kernels in the cores' own instructions: GVSoC, or not."
        ),
    ] = None,
    profile: Annotated[bool, typer.Option(help="Count per kernel: QEMU, GVSoC.")] = False,
    check: Annotated[
        bool, typer.Option(help="Replay the run in NumPy and compare logits.")
    ] = False,
    summary: Annotated[bool, typer.Option(help="Print a summary after the text.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Generate text with a compiled program.

    Example: aretusa run build/tiny-orator --prompt "The President shall" --max-new-tokens 32
    """
    del debug
    options = RunOptions(
        platform=platform.platform,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        chunk=chunk,
        cores=cores,
        xpulp=xpulp,
        profile=profile,
        check=check,
    )
    show = _no_text if as_json else _stream
    manifest = read_manifest(build)
    show(b"" if chat else prompt.encode(errors="replace"))
    try:
        asked = Prompt(text=prompt, chat=chat, system=system)
        result = run_program(build, asked, options, on_text=show)
    finally:
        show(b"\n")
    lines: list[str] = []
    if summary or profile:
        lines = ["", *ui.run_lines(result, manifest), *ui.profile_lines(result)]
    answer(result, lines, as_json=as_json)
    if result.check is not None and result.check.mismatches:
        raise typer.Exit(ExitCode.NUMERICS)


@app.command("inspect")
def inspect_command(model: Model, as_json: Json = False, debug: Debug = False) -> None:
    """Show what a checkpoint holds.

    Example: aretusa inspect examples/models/tiny-orator
    """
    del debug
    result = inspect_model(model)
    answer(result, ui.inspect_lines(result), as_json=as_json)


@app.command("doctor")
def doctor_command(as_json: Json = False, debug: Debug = False) -> None:
    """Show which tools this computer has and what to install.

    Example: aretusa doctor
    """
    del debug
    result = examine_machine()
    answer(result, ui.doctor_lines(result), as_json=as_json)
    if not result.ok:
        raise typer.Exit(ExitCode.TOOLCHAIN)


def _stream(data: bytes) -> None:
    """Bytes of generated text; a character may come in two parts."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _no_text(data: bytes) -> None:
    """The text is part of the document."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code of errors.ExitCode."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(arguments, prog_name="aretusa", standalone_mode=False)
    except (BrokenPipeError, SystemExit):  # typer leaves so when nobody reads stdout any more
        return ExitCode.OK
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
    except Exception as problem:  # noqa: BLE001 - the last line of defence: a bug is one line, too
        return report_failure(problem, arguments)
    if code == ExitCode.INTERRUPTED:
        typer.echo("interrupted", err=True)
    return code if isinstance(code, int) else ExitCode.OK
