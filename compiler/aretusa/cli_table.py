"""`aretusa eval RUN --table DIRECTORY`: what each stage of a compression costs and leaves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aretusa.errors import AretusaError, UsageError
from aretusa.stage_table import StageRow, StageTable, csv_text, markdown
from aretusa_compress.results import CompressResult
from aretusa_sim.estimation import estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.options import CompileOptions
    from aretusa_compress.results import StageResult
    from aretusa_sim.estimation import Estimate

RESULT = "result.json"
TABLE = "table"
PREFILL_TOKENS = 64
DECODE_TOKENS = 8  # behind the prompt; their mean stands for a token of decode


def read_run(directory: Path) -> CompressResult:
    """What `aretusa compress` wrote. Raises UsageError E0523 for anything else."""
    path = directory / RESULT
    try:
        return CompressResult.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValueError) as problem:
        raise UsageError(
            "E0523",
            "this is no directory of a finished compression",
            file=directory,
            why=str(problem).splitlines()[0],
            fix="Give the directory that `aretusa compress RECIPE -o DIRECTORY` wrote",
        ) from problem


def make_table(
    directory: Path,
    options: CompileOptions,
    *,
    accuracy: Callable[[Path], dict[str, float]],
    progress: Callable[[str, int, int], None],
) -> StageTable:
    """A row for the model and for each stage; `accuracy` asks questions, or answers nothing."""
    run = read_run(directory)
    rows: list[StageRow] = []
    context = 0
    for done, stage in enumerate(run.stages):
        progress("stages", done, len(run.stages))
        cost, note = _cost(_inside(directory, stage), options)
        context = context if cost is None else cost.result.model.context
        rows.append(_row(stage, cost, note, accuracy(_inside(directory, stage))))
    progress("stages", len(run.stages), len(run.stages))
    return StageTable(
        run=directory.name,
        weights=_weights(options),
        context=context,
        kv_bits=str(options.cache_bits),
        rows=rows,
    )


def write_table(output: Path, table: StageTable) -> list[Path]:
    """table.md, table.csv, table.json, and the plot as stages.svg and stages.png.

    Raises ToolchainError E0708 if matplotlib is missing, UsageError if nothing can be written.
    """
    from aretusa_sim.plots import write_plots  # noqa: PLC0415 - needs the extra plots
    from aretusa_sim.plots_stages import stages_plot  # noqa: PLC0415

    texts = {
        "md": markdown(table),
        "csv": csv_text(table),
        "json": table.model_dump_json(indent=1) + "\n",
    }
    try:
        output.mkdir(parents=True, exist_ok=True)
        paths = [output / f"{TABLE}.{ending}" for ending in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, "utf-8")
        return [*paths, *write_plots(output, [stages_plot(table)])]
    except OSError as problem:
        raise UsageError(
            "E0002",
            "cannot write the table there",
            file=output,
            why=str(problem),
            fix="Name a directory that can be written",
        ) from problem


def _inside(directory: Path, stage: StageResult) -> Path:
    """The checkpoint of a stage, also where the directory has been moved since."""
    moved = directory / stage.name
    return moved if moved.is_dir() else Path(stage.checkpoint)


def _weights(options: CompileOptions) -> str:
    return options.weights if options.bits is None else f"w{options.bits}"


def _cost(checkpoint: Path, options: CompileOptions) -> tuple[Estimate | None, str]:
    """What the checkpoint costs on the chip, or why that cannot be said."""
    try:
        return estimate(
            checkpoint,
            options=options,
            prefill_tokens=PREFILL_TOKENS,
            decode_tokens=DECODE_TOKENS,
        ), ""
    except AretusaError as problem:
        return None, problem.line()


def _row(
    stage: StageResult, cost: Estimate | None, note: str, accuracy: dict[str, float]
) -> StageRow:
    decode = None if cost is None else cost.result.phase("decode")
    energy = None if decode is None else decode.energy_per_token
    return StageRow(
        stage=stage.name,
        parameters=stage.parameters,
        nonzero=stage.nonzero,
        stored_bytes=stage.weight_bytes,
        memory_bytes={}
        if cost is None
        else {
            memory.memory: max(memory.alive_bytes, default=0) for memory in cost.result.occupancy
        },
        perplexity={text.text: text.perplexity for text in stage.evaluation},
        accuracy=accuracy,
        tokens_per_second=0.0 if decode is None else decode.tokens_per_second,
        uj_per_token=0.0 if energy is None else energy.nominal_uj,
        uj_low=0.0 if energy is None else energy.low_uj,
        uj_high=0.0 if energy is None else energy.high_uj,
        note=note,
    )
