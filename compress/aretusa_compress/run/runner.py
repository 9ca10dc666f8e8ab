"""run_recipe(): the stages of a recipe in order, each only if what it depends on has changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aretusa_compress.errors import UsageError
from aretusa_compress.model.guard import CONFIG, TOKENIZER, weight_files
from aretusa_compress.model.source import find_model
from aretusa_compress.results import CompressResult, StageResult
from aretusa_compress.run.before import check_memory, check_texts, chosen_stages
from aretusa_compress.run.context import StageContext
from aretusa_compress.run.determinism import (
    prepare_libraries,
    seed_everything,
    settle,
    torch_dtype,
)
from aretusa_compress.run.directory import SCHEMA_VERSION, RunDirectory
from aretusa_compress.run.evaluation import evaluate, measure
from aretusa_compress.run.fingerprint import (
    differences,
    file_digest,
    file_digests,
    fingerprint,
    library_versions,
)
from aretusa_compress.run.memory import free_bytes, peak_bytes
from aretusa_compress.run.progress import Silent
from aretusa_compress.run.stages import stage_named
from aretusa_compress.texts.roles import Texts

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from aretusa_compress.recipe.schema import Recipe, StageEntry
    from aretusa_compress.run.progress import Progress

BASE = "0-model"  # what a GGUF file is converted to


@dataclass(frozen=True, slots=True)
class _Run:
    """What all stages of a run share."""

    recipe: Recipe
    place: RunDirectory
    texts: Texts
    device: torch.device
    dtype: torch.dtype | None
    resume: bool
    progress: Progress
    shared: Path | None


def run_recipe(
    recipe: Recipe,
    output: Path,
    *,
    only: str = "",
    resume: bool = True,
    progress: Progress | None = None,
    shared: Path | None = None,
) -> CompressResult:
    """Run a recipe in a directory and return what every stage did.

    Stages that are there with an equal fingerprint are kept. `only` names one stage, by name or
    directory: the ones before it must be there, the ones after it are left alone.
    Without `resume` everything is done anew. Runs with the same directory `shared` find there what
    was costly and is the same for all.
    """
    progress = Silent() if progress is None else progress
    chosen = chosen_stages(recipe, only)
    prepare_libraries()
    files = find_model(recipe.model, recipe.revision)
    texts = Texts(recipe.data, recipe.seed)
    check_texts(recipe, texts)
    device = settle(recipe)
    with RunDirectory.opened(output) as place:
        place.write_recipe(recipe)
        dtype = torch_dtype(recipe.dtype)
        run = _Run(recipe, place, texts, device, dtype, resume, progress, shared)
        source = _converted(run, files.path) if files.is_gguf else files.path
        need = check_memory(recipe, source, chosen, device)
        results = _results(run, source, chosen, only)
        result = _summary(run, results, need)
        place.write_result(result.model_dump_json(indent=1) + "\n")
        return result


def _results(run: _Run, source: Path, chosen: list[str], only: str) -> list[StageResult]:
    """One record for the model and for each stage."""
    results = [_result(run, "model", source, {}, time.monotonic(), reused=True)]
    sources = [source]
    for entry, name in zip(run.recipe.stages, run.recipe.stage_names, strict=True):
        started = time.monotonic()
        inputs = _inputs(run, entry, sources)
        record = run.place.record(name)
        is_current = record is not None and record["fingerprint"] == fingerprint(inputs)
        must_run = not is_current or (not run.resume and name in chosen)
        if must_run and name not in chosen:
            raise UsageError(
                "E0509",
                f"--only {only} needs {name}, which is not there or no longer current",
                file=run.place.path,
                fix="Run the recipe without --only first",
            )
        if must_run:
            _explain(run, name, record, inputs)
            record = _run_stage(run, entry, name, sources, inputs)
        assert record is not None
        sources = [*sources, run.place.stage(name)]
        results.append(_result(run, name, sources[-1], record, started, reused=not must_run))
        if only and name == chosen[-1]:
            break
    return results


def _run_stage(
    run: _Run, entry: StageEntry, name: str, sources: list[Path], inputs: dict[str, Any]
) -> dict[str, Any]:
    """Work, then put the result in its place; returns the record of the stage."""
    stage = stage_named(entry.name)
    if not run.resume:
        run.place.state(name, "").discard()
    state = run.place.state(name, fingerprint(inputs))
    seed_everything(run.recipe.seed)
    context = StageContext(
        source=sources[-1],
        history=tuple(sources[:-1]),
        output=run.place.begin(name),
        state=state,
        texts=run.texts,
        device=run.device,
        dtype=run.dtype,
        seed=run.recipe.seed,
        progress=run.progress,
        shared=run.shared,
    )
    record = {
        "schema_version": SCHEMA_VERSION,
        "stage": entry.name,
        "fingerprint": fingerprint(inputs),
        "inputs": inputs,
        "report": stage.run(context, entry.options),
    }
    run.place.finish(name, record)
    state.discard()
    return record


def _inputs(run: _Run, entry: StageEntry, sources: list[Path]) -> dict[str, Any]:
    """Everything that the result of a stage depends on."""
    stage = stage_named(entry.name)
    before = sources[:-1] if stage.uses_history else []
    return {
        "stage": entry.name,
        "options": entry.options.model_dump(mode="json"),
        "model": _digests(sources[-1]),
        "history": [_digests(source) for source in before],
        "texts": {role: run.texts.inputs(role) for role in stage.roles(entry.options)},
        "seed": run.recipe.seed,
        "device": run.device.type,
        "dtype": run.recipe.dtype.value,
        "libraries": library_versions(stage.libraries),
        "schema_version": SCHEMA_VERSION,
    }


def _digests(checkpoint: Path) -> dict[str, str]:
    names = [CONFIG, TOKENIZER, *(path.name for path in weight_files(checkpoint))]
    return file_digests(checkpoint, names)


def _explain(run: _Run, name: str, record: dict[str, Any] | None, inputs: dict[str, Any]) -> None:
    """Say why a stage that was there runs again."""
    if record is not None:
        changed = list(differences(record["inputs"], inputs))
        why = ", ".join(changed[:3]) if changed else "asked for"
        run.progress.say(f"{name} runs again: {why}")


def _converted(run: _Run, file: Path) -> Path:
    """The directory that a GGUF file is converted to; kept like a stage."""
    from aretusa_compress.model.gguf_import import import_gguf  # noqa: PLC0415 - loads torch

    inputs = {
        "model": file_digest(file),
        "dtype": run.recipe.dtype.value,
        "libraries": library_versions(["gguf"]),
        "schema_version": SCHEMA_VERSION,
    }
    key = fingerprint(inputs)
    record = run.place.record(BASE)
    if record is None or record["fingerprint"] != key or not run.resume:
        run.progress.start(f"converting {file.name}", 1)
        import_gguf(file, run.place.begin(BASE), run.dtype)
        run.place.finish(BASE, {"stage": "model", "fingerprint": key, "inputs": inputs})
        run.progress.advance()
    return run.place.stage(BASE)


def _result(
    run: _Run, name: str, checkpoint: Path, record: dict[str, Any], started: float, *, reused: bool
) -> StageResult:
    key = record.get("fingerprint", "")
    inputs = {
        "model": file_digests(checkpoint, [path.name for path in weight_files(checkpoint)]),
        "dtype": run.recipe.dtype.value,
        "libraries": library_versions(),
    }
    perplexities = evaluate(
        checkpoint,
        run.texts,
        cache=run.place.path / "evaluation" / f"{name}.json",
        inputs=inputs,
        device=run.device,
        dtype=run.dtype,
        progress=run.progress,
    )
    return StageResult(
        name=name,
        checkpoint=str(checkpoint),
        reused=reused,
        seconds=round(time.monotonic() - started, 3),
        fingerprint=key,
        report=record.get("report", {}),
        evaluation=perplexities,
        **measure(checkpoint),
    )


def _summary(run: _Run, results: list[StageResult], need: dict[str, int]) -> CompressResult:
    import torch  # noqa: PLC0415

    return CompressResult(
        directory=str(run.place.path),
        checkpoint=results[-1].checkpoint,
        device=run.device.type,
        threads=torch.get_num_threads(),
        free_bytes=free_bytes(run.device),
        need_bytes=need,
        peak_bytes=peak_bytes(),
        libraries=library_versions(["peft"]),
        stages=results,
    )
