"""The command `simulate`: aretusa.cli adds it to the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.console import Console

from aretusa.cli_options import Bits, Debug, Json, KvBits, Quiet  # noqa: TC001 - typer reads them
from aretusa.errors import UsageError
from aretusa.options import DEFAULT_KV_BITS, CompileOptions
from aretusa_sim.advice import DEFAULT_SECONDS, advise
from aretusa_sim.csv_tables import write_csv
from aretusa_sim.estimation import estimate
from aretusa_sim.generation import DEFAULT_NEW_TOKENS, DEFAULT_PROMPT, run
from aretusa_sim.perfetto import write_trace
from aretusa_sim.plots_files import check_matplotlib, draw_plots
from aretusa_sim.progress import progress_bar
from aretusa_sim.terminal import print_simulation

if TYPE_CHECKING:
    from aretusa_sim.estimation import Estimate
    from aretusa_sim.generation import Simulation

Subject = Annotated[
    Path,
    typer.Argument(help="Directory that `aretusa compile` wrote; with --estimate a model."),
]
IsEstimate = Annotated[
    bool, typer.Option("--estimate", help="Plan and time a model or a config.json.")
]
PromptText = Annotated[str, typer.Option(help="Text that the run begins with.")]
Prefill = Annotated[int, typer.Option(min=1, help="Tokens of the prompt of an estimate.")]
NewTokens = Annotated[int, typer.Option(min=1, help="Tokens to generate or estimate.")]
OptionalInt = Optional[int]  # noqa: UP045 - typer reads the annotation at run time
OptionalPath = Optional[Path]  # noqa: UP045
Clock = Annotated[OptionalInt, typer.Option(min=1, help="Of the cluster in Hz.")]
Context = Annotated[OptionalInt, typer.Option(help="Positions of the KV cache of an estimate.")]
Chunk = Annotated[OptionalInt, typer.Option(help="Tokens of a prefill step of an estimate.")]
TargetOption = Annotated[str, typer.Option(help="Built-in target or a target file.")]
Csv = Annotated[OptionalPath, typer.Option("--csv", help="Directory for tables.")]
Trace = Annotated[OptionalPath, typer.Option("--trace", help="File for Perfetto.")]
Plots = Annotated[OptionalPath, typer.Option("--plots", help="Directory for plots.")]
NoContention = Annotated[
    bool, typer.Option("--no-contention", help="Let cores never wait for each other's banks.")
]
IsAdvised = Annotated[
    bool, typer.Option("--advice", help="Say what bounds a token, and try what would help.")
]
AdviceSeconds = Annotated[
    float, typer.Option(min=0, help="After so long no further change is tried.")
]


def simulate_command(
    subject: Subject,
    is_estimate: IsEstimate = False,
    prompt: PromptText = DEFAULT_PROMPT,
    max_new_tokens: NewTokens = DEFAULT_NEW_TOKENS,
    clock: Clock = None,
    bits: Bits = None,
    context: Context = None,
    chunk: Chunk = None,
    prefill: Prefill = 64,
    kv_bits: KvBits = DEFAULT_KV_BITS,
    target: TargetOption = "siracusa",
    csv: Csv = None,
    trace: Trace = None,
    plots: Plots = None,
    no_contention: NoContention = False,
    is_advised: IsAdvised = False,
    advice_seconds: AdviceSeconds = DEFAULT_SECONDS,
    quiet: Quiet = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what every unit of the chip does while a build generates text, cycle by cycle.

    Example: aretusa simulate build/tiny-orator --prompt "The President shall"
    """
    del debug
    if plots is not None:
        check_matplotlib()
    with progress_bar("simulating tokens", is_quiet=quiet or as_json) as progress:
        if is_estimate:
            done: Estimate | Simulation = estimate(
                subject,
                options=CompileOptions(
                    bits=bits, context=context, chunk=chunk, kv_bits=kv_bits, target=target
                ),
                prefill_tokens=prefill,
                decode_tokens=max_new_tokens,
                clock_hz=clock,
                has_contention=not no_contention,
                has_intervals=trace is not None,
                progress=progress,
            )
        else:
            done = run(
                subject,
                prompt,
                max_new_tokens,
                clock_hz=clock,
                has_contention=not no_contention,
                has_intervals=trace is not None,
                progress=progress,
            )
    if is_advised:
        done = _advised(done, advice_seconds, is_quiet=quiet or as_json)
    _write(done, csv, trace)
    if plots is not None:
        with progress_bar("timing positions", is_quiet=quiet or as_json) as progress:
            draw_plots(plots, done, progress)
    _print(done, prompt, as_json=as_json)


def _advised(
    done: Estimate | Simulation, seconds: float, *, is_quiet: bool
) -> Estimate | Simulation:
    with progress_bar("trying changes", is_quiet=is_quiet) as progress:
        advice = advise(done, seconds=seconds, progress=progress)
    return replace(done, result=done.result.model_copy(update={"advice": advice}))


def _write(done: Estimate | Simulation, csv: Path | None, trace: Path | None) -> None:
    try:
        if csv is not None:
            write_csv(csv, done.result)
        if trace is not None:
            write_trace(trace, done.listing, done.timings)
    except OSError as problem:
        raise UsageError(
            "E0002",
            "cannot write the simulation there",
            file=csv if csv is not None else trace,
            why=str(problem),
            fix="Name a directory and a file that can be written",
        ) from problem


def _print(done: Estimate | Simulation, prompt: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(done.result.model_dump_json(indent=1))
        return
    if not done.result.is_estimate:
        typer.echo(prompt + done.result.text + "\n")
    print_simulation(done.result, Console())
