"""The stage fit: a width for every matrix, chosen for the chip, and the checkpoint with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import torch

from aretusa_compress.fit.bank import Bank
from aretusa_compress.fit.build import rounded_model, write_checkpoint
from aretusa_compress.fit.chip import Chip
from aretusa_compress.fit.goal import Goal
from aretusa_compress.fit.inventory import configuration, forms_of, matrices_of
from aretusa_compress.fit.losses import Sensitivities
from aretusa_compress.fit.measure import Reference
from aretusa_compress.fit.plot import can_draw, draw
from aretusa_compress.fit.prices import mean_bits
from aretusa_compress.fit.program import QUICK_LIMIT, solve
from aretusa_compress.fit.report import (
    found_document,
    losses_csv,
    markdown,
    original_point,
    point,
    points_csv,
    policy,
)
from aretusa_compress.fit.search import Search, prices_for, simulated
from aretusa_compress.fit.swaps import Workbench
from aretusa_compress.model.guard import CONFIG, TOKENIZER, weight_files
from aretusa_compress.model.load import load_model
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.fingerprint import file_digests, fingerprint, library_versions
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape
from aretusa_compress.run.state import StageState
from aretusa_compress.solvers.gptq import GptqOptions

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from aretusa_compress.fit.forms import Choice
    from aretusa_compress.fit.losses import Losses
    from aretusa_compress.fit.options import FitOptions
    from aretusa_compress.fit.search import Found
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.texts.options import DataOptions

NAME: Final = "fit"  # of the files beside the checkpoint
POLICY: Final = "policy.toml"
_FLOAT64_BYTES: Final = 8
_DRAWING_BYTES: Final = 150 * 10**6  # matplotlib and OR-Tools, loaded
# Options that what is measured depends on.
_MATTERS: Final = {
    "samples",
    "damping",
    "scale_rounds",
    "target",
    "prefill_tokens",
    "decode_tokens",
    "chunk",
}


def run(context: StageContext, options: FitOptions) -> Report:
    """Write the checkpoint, tables, picture and policy; report how the choice was found."""
    rounding, measuring = _windows(context, options)
    search, losses = _prepared(context, options, rounding, measuring)
    found = search.find()
    for quantity, ratio in found.missed.items():
        context.progress.say(f"{quantity} misses its budget by {abs(ratio - 1):.4%}")
    points = _points(search, found, options)
    document = {
        **found_document(found, options.budgets),
        "objective": options.objective.value,
        "target": options.target,
        "original": original_point(search.bench.reference.original),
        "points": points,
    }
    choice, dropped = found.refined.choice, found.solution.dropped
    model = load_model(context.source, dtype=torch.float32, device=context.device)
    codes = rounded_model(model, search.bench.bank, choice, dropped, progress=context.progress)
    write_checkpoint(model, codes, context.source, context.output)
    deviation = search.bench.reference.measure_other(model)
    points.append(point("chosen, rounded in order", "chosen", deviation, found.simulated))
    _write(context.output, document, losses_csv(search.matrices, losses, choice), choice)
    return document


def measurements(context: StageContext, options: FitOptions) -> StageState:
    """Where moments, codes, prices and losses are kept, for other budgets of the same model too.

    It stays when the stage is done; whoever needs the room may delete it.
    """
    names = [CONFIG, TOKENIZER, *(path.name for path in weight_files(context.source))]
    key = fingerprint(
        {
            "model": file_digests(context.source, names),
            "options": options.model_dump(mode="json", include=_MATTERS),
            "texts": context.texts.inputs("calibration"),
            "seed": context.seed,
            "device": context.device.type,
            "libraries": library_versions(),
        }
    )
    return StageState(context.state.directory.with_name(f".{NAME}-{key[:16]}"), key)


def _prepared(
    context: StageContext, options: FitOptions, rounding: Tensor, measuring: Tensor
) -> tuple[Search, Losses]:
    model = load_model(context.source, dtype=torch.float32, device=context.device)
    matrices, progress = matrices_of(model), context.progress
    state = measurements(context, options)
    chip = Chip(source=context.source, options=options, state=state, progress=progress)
    goal = Goal(budgets=options.limits, matrices=matrices, prices=None)
    goal = prices_for(goal, chip, model.config, options)
    _check_budgets(goal, options)
    bench = _bench(context, options, model, (rounding, measuring), state)
    sensitivities = Sensitivities(bench=bench, options=options, state=state, progress=progress)
    losses = sensitivities.losses()
    search = Search(
        config=model.config,
        matrices=matrices,
        goal=goal,
        losses=losses,
        drop_losses=sensitivities.drop_losses() if options.drop else {},
        chip=chip,
        bench=bench,
        options=options,
        progress=progress,
    )
    return search, losses


def _bench(
    context: StageContext,
    options: FitOptions,
    model: Model,
    windows: tuple[Tensor, Tensor],
    state: StageState,
) -> Workbench:
    """`windows` are those to round for, and those that are measured on."""
    bank = Bank(
        model=model,
        matrices=matrices_of(model),
        forms=options.forms,
        windows=windows[0],
        solver=GptqOptions(damping=options.damping, scale_rounds=options.scale_rounds),
        state=state,
        progress=context.progress,
    )
    bank.fill()
    return Workbench(model=model, bank=bank, reference=Reference(model, windows[1]), state=state)


def _check_budgets(goal: Goal, options: FitOptions) -> None:
    """Raise UsageError E0508 or E0540 before anything is measured, if budgets cannot be met."""
    if goal.prices is None and any(budget.quantity.needs_chip for budget in goal.budgets):
        raise cannot_apply(
            f"the model does not fit {options.target} at any width",
            "what it costs there is therefore unknown",
            "Give a budget of bits, a smaller model, or another target",
        )
    free = {m.name: dict.fromkeys(forms_of(m, options.forms), 0.0) for m in goal.matrices}
    blocks = {m.block: 0.0 for m in goal.matrices if m.block is not None}
    program = goal.program(free, blocks, options.drop)
    goal.check(program)
    if solve(program, limit=QUICK_LIMIT) is None:
        raise goal.together()


def _windows(context: StageContext, options: FitOptions) -> tuple[Tensor, Tensor]:
    """Windows to round for, and others that are measured on."""
    windows = context.texts.windows("calibration", context.source).to(context.device)
    spare = len(windows) - options.samples
    if spare < 1:
        raise cannot_apply(
            f"{len(windows)} windows of calibration text are too few",
            f"{options.samples} of them are measured on, the others are for rounding",
            "Raise data.calibration.samples, or lower samples of the stage fit",
        )
    return windows[:spare], windows[spare:]


def _points(search: Search, found: Found, options: FitOptions) -> list[dict[str, Any]]:
    """Uniform models and the search's front, measured; the choice before it is rounded in order."""
    points = []
    front = search.front() if options.front else []
    search.progress.start("measuring the front", len(front))
    for name, choice, dropped in front:
        kind = "uniform" if name.startswith("all") else "search"
        values = search.goal.values(choice, dropped)
        if kind == "uniform" and search.goal.prices is not None:
            config = configuration(search.config, search.matrices, choice, dropped)
            (answer,) = search.chip.answers("simulating uniform widths", [config])
            values = simulated(answer, mean_bits(search.matrices, choice)) or values
        points.append(point(name, kind, search.bench.measure(choice, dropped), values))
        search.progress.advance()
    chosen, gone = found.refined.choice, found.solution.dropped
    values = found.simulated or found.predicted
    deviation = search.bench.measure(chosen, gone)
    points.append(point("chosen, each rounded alone", "search", deviation, values))
    return points


def _write(output: Path, document: dict[str, Any], losses: str, choice: Choice) -> None:
    (output / f"{NAME}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    (output / f"{NAME}.md").write_text(markdown(document), "utf-8")
    (output / f"{NAME}.csv").write_text(points_csv(document["points"]), "utf-8")
    (output / f"{NAME}-losses.csv").write_text(losses, "utf-8")
    (output / POLICY).write_text(policy(choice), "utf-8")
    if can_draw():
        draw(document, output / f"{NAME}.png")


def _need(shape: Shape, options: FitOptions, data: DataOptions, weight_bytes: int) -> Need:
    """Models in binary32, what is measured on, moments, a block in all forms."""
    del weight_bytes  # solvers work in binary32
    text = data.calibration
    tokens = text.tokens if text is not None else 0
    samples = text.samples or 1 if text is not None else 1
    states = options.samples * tokens * shape.hidden * (shape.layers + 1) * FLOAT32_BYTES
    logs = options.samples * shape.logits_bytes(tokens) // 2
    return Need(
        {
            "libraries": LIBRARY_BYTES,
            "weights": 4 * shape.weights * FLOAT32_BYTES,
            "stream": 2 * samples * tokens * shape.hidden * FLOAT32_BYTES,
            "measured": states + logs + shape.logits_bytes(tokens),
            "moments": 4 * shape.ffn * shape.ffn * _FLOAT64_BYTES,
            "matrix": 4 * shape.embedding * _FLOAT64_BYTES,
            "drawing": _DRAWING_BYTES,
            "forms": len(options.forms) * max(shape.block_weights, shape.embedding),
        }
    )


FIT: Stage[Any] = Stage(
    run=run, need=_need, roles=lambda _: ("calibration",), libraries=("ortools", "matplotlib")
)
