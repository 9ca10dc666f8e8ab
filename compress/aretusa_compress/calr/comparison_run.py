"""compare(): make and judge the models of a comparison, each once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.calr.comparison import NAME, recipe_for, recipe_with, runs_of
from aretusa_compress.calr.comparison_table import summarise
from aretusa_compress.calr.methods import Counts
from aretusa_compress.model.blocks import mean_nats
from aretusa_compress.model.gguf_import import import_gguf
from aretusa_compress.model.load import load_model
from aretusa_compress.model.source import find_model
from aretusa_compress.run.determinism import settle, torch_dtype
from aretusa_compress.run.evaluation import measure
from aretusa_compress.run.fingerprint import file_digests, fingerprint, library_versions
from aretusa_compress.run.runner import run_recipe
from aretusa_compress.run.state import replace_file
from aretusa_compress.svd.decompositions import chosen_places, layer_of
from aretusa_compress.svd.options import Selection
from aretusa_compress.texts.roles import Texts

if TYPE_CHECKING:
    import torch

    from aretusa_compress.calr.comparison import Comparison, Run
    from aretusa_compress.recipe.schema import Recipe
    from aretusa_compress.terminal import Bars

_MODEL: Final = "model"  # a GGUF file as a directory
_SHARED: Final = "components"  # of matrices, for the runs that truncate the same ones


@dataclass(frozen=True, slots=True)
class _Work:
    """What all runs share. `inputs` are what every result depends on."""

    comparison: Comparison
    output: Path
    device: torch.device
    inputs: dict[str, Any]
    bars: Bars
    keep: bool


def compare(
    comparison: Comparison, output: Path, bars: Bars, *, keep: bool = False
) -> dict[str, Any]:
    """The document of a comparison; with `keep` the models stay, each in a directory of its run."""
    output.mkdir(parents=True, exist_ok=True)
    source = _directory(comparison, output)
    comparison = comparison.model_copy(update={"model": str(source)})
    runs = runs_of(comparison)
    counts = {matrices: count(source, matrices) for matrices in {run.matrices for run in runs}}
    recipes = [recipe_for(comparison, run, counts[run.matrices]) for run in runs]
    device = settle(recipe_with(comparison, [], comparison.seeds[0], NAME))
    work = _Work(comparison, output, device, _inputs(comparison, source), bars, keep)
    original = _judged(work, source)
    rows = []
    for index, (run, recipe) in enumerate(zip(runs, recipes, strict=True), 1):
        bars.say(f"{index} of {len(runs)}: {run.directory}")
        result = _result(work, run, recipe)
        rows.append(
            {
                "row": run.row,
                "fewer": run.fewer,
                "seed": run.seed,
                "gone": 1 - result["nonzero"] / counts[run.matrices].total,
                "nats": result["nats"],
            }
        )
    shutil.rmtree(output / _SHARED, ignore_errors=True)
    return summarise(rows, original, device=device.type)


def count(directory: Path, matrices: tuple[str, ...]) -> Counts:
    """Parameters of a checkpoint that no stage has changed yet."""
    model = load_model(directory)
    places = chosen_places(model, Selection(matrices=matrices))
    return Counts(
        total=measure(directory)["parameters"],
        factored=sum(layer_of(model, place).weight.numel() for place in places),
        block=sum(weight.numel() for weight in model.blocks[0].parameters()),
        blocks=len(model.blocks),
    )


def _directory(comparison: Comparison, output: Path) -> Path:
    """The model as a directory; a GGUF file is converted once for all runs."""
    files = find_model(comparison.model)
    if not files.is_gguf:
        return files.path
    place, part = output / _MODEL, output / f".{_MODEL}.part"
    if not place.is_dir():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        import_gguf(files.path, part)
        part.rename(place)
    return place


def _inputs(comparison: Comparison, source: Path) -> dict[str, Any]:
    texts = Texts(comparison.data, 0)
    data = comparison.data
    roles = [role for role in ("calibration", "training") if getattr(data, role) is not None]
    roles += [f"evaluation.{name}" for name in data.evaluation]
    return {
        "model": file_digests(source),
        "texts": {role: texts.inputs(role) for role in roles},
        "libraries": library_versions(["peft"]),
    }


def _result(work: _Work, run: Run, recipe: Recipe) -> dict[str, Any]:
    """What came of a run: from its file, or by making the model and judging it."""
    asked = {**recipe.document(), "model": ""}  # the files count, not where they lie
    key = fingerprint({"recipe": asked, "device": work.device.type, **work.inputs})
    file = work.output / f"{run.directory}.json"
    if file.is_file():
        kept: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if kept["key"] == key:
            return kept
    place = work.output / run.directory
    made = run_recipe(recipe, place, progress=work.bars, shared=work.output / _SHARED)
    nats = _judged(work, Path(made.checkpoint))
    found = {"key": key, "nonzero": made.stages[-1].nonzero, "nats": nats}
    text = json.dumps(found, indent=1) + "\n"
    replace_file(file, lambda part: part.write_text(text, "utf-8"))
    if not work.keep:
        shutil.rmtree(place)
    return found


def _judged(work: _Work, checkpoint: Path) -> dict[str, list[float]]:
    """Nats of every window of every evaluation text."""
    data = work.comparison.data
    texts = Texts(data, 0)
    dtype = torch_dtype(work.comparison.dtype)
    model = load_model(checkpoint, dtype=dtype, device=work.device, decode=True)
    found: dict[str, list[float]] = {}
    for name in data.evaluation:
        windows = texts.windows(f"evaluation.{name}", checkpoint)
        work.bars.start(f"judging on {name}", len(windows))
        found[name] = [mean_nats(model, window[None], work.bars) for window in windows]
    return found
