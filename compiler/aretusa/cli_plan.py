"""The command `plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console

from aretusa.cli_options import Adapter, Bits, Debug, EngineChoice, Json, KvBits, Policy
from aretusa.errors import ExitCode
from aretusa.options import DEFAULT_KV_BITS, DEFAULT_WEIGHTS, CompileOptions
from aretusa.ui_plan import print_plan
from aretusa.verbs.plan import PlanRequest, plan_model

ModelOrConfig = Annotated[
    Path, typer.Argument(help="Hugging Face directory, GGUF file, or a config.json alone.")
]


def plan_command(
    model: ModelOrConfig,
    weights: Annotated[
        str, typer.Option(help="Scheme for real weights: w8, w4, w4g32, ...")
    ] = DEFAULT_WEIGHTS,
    bits: Bits = None,
    policy: Policy = None,
    requantise: Annotated[
        bool, typer.Option(help="Quantise codes of a quantised checkpoint anew.")
    ] = False,
    adapter: Adapter = None,
    engine: Annotated[EngineChoice, typer.Option(help="What runs the linear layers.")] = (
        EngineChoice.AUTO
    ),
    context: Annotated[
        Optional[int],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(help="Positions of the KV cache; 512 or what the model allows."),
    ] = None,
    prefill: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Tokens of the prompt that the plan is made for."),
    ] = None,
    decode: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="New tokens that follow it."),
    ] = None,
    chunk: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Most tokens of one prefill step; what the planner finds best."),
    ] = None,
    kv_bits: KvBits = DEFAULT_KV_BITS,
    target: Annotated[str, typer.Option(help="Built-in target or a target file.")] = "siracusa",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say whether a model fits, where everything lies and what a token costs; writes nothing.

    Example: aretusa plan examples/models/tiny-orator --bits 4
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
    request = PlanRequest(options=options, prefill_tokens=prefill, decode_tokens=decode)
    report = plan_model(model, request)
    if as_json:
        typer.echo(report.model_dump_json(indent=1))
    else:
        print_plan(report, Console())
    if not report.fits:
        raise typer.Exit(int(ExitCode.CAPACITY))
