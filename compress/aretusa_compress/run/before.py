"""What is looked at before any work: the stages that are asked for, their texts, their memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa_compress.errors import UsageError
from aretusa_compress.model.guard import CONFIG, read_json
from aretusa_compress.recipe.schema import DType
from aretusa_compress.recipe.validate import suggestion
from aretusa_compress.run.context import cannot_apply
from aretusa_compress.run.memory import (
    WEIGHT_PARTS,
    Need,
    Shape,
    check_need,
    free_bytes,
    need_by_gpu,
)
from aretusa_compress.run.stages import stage_named

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from aretusa_compress.recipe.schema import Recipe
    from aretusa_compress.texts.roles import Texts


def chosen_stages(recipe: Recipe, only: str) -> list[str]:
    """Directories of the stages to run. Raises UsageError E0003 for an unknown one."""
    names = recipe.stage_names
    if not only:
        return names
    kinds = [entry.name for entry in recipe.stages]
    if only in names:
        return [only]
    if kinds.count(only) == 1:
        return [names[kinds.index(only)]]
    known = names if only in kinds else [*names, *kinds]
    what = f"--only {only} names no single stage of the recipe, {suggestion(only, known)}"
    raise UsageError("E0003", what, fix="Name a stage of the recipe, such as 1-depth")


def check_texts(recipe: Recipe, texts: Texts) -> None:
    """Raise if a stage or the evaluation lacks a text: E0505, E0230, E0503."""
    for entry in recipe.stages:
        for role in stage_named(entry.name).roles(entry.options):
            texts.inputs(role)
    for name in recipe.data.evaluation:
        texts.inputs(f"evaluation.{name}")


def check_memory(
    recipe: Recipe, source: Path, chosen: list[str], device: torch.device
) -> dict[str, int]:
    """Bytes that each stage to run is estimated to need. Raises CapacityError E0507, E0508."""
    config = read_json(source / CONFIG)
    stored = str(config.get("dtype", config.get("torch_dtype", "float32")))
    dtype = stored if recipe.dtype is DType.AUTO else recipe.dtype.value
    weight_bytes = 4 if dtype == "float32" else 2
    needs = {}
    for entry, name in zip(recipe.stages, recipe.stage_names, strict=True):
        if name in chosen:
            stage = stage_named(entry.name)
            _check_family(name, stage.families, str(config["model_type"]))
            need = stage.need(Shape.of(config), entry.options, recipe.data, weight_bytes)
            _check_room(name, need, device)
            needs[name] = need.total_bytes
    return needs


def _check_room(name: str, need: Need, device: torch.device) -> None:
    """Raise CapacityError E0507 if a device lacks memory; of several GPUs each is looked at."""
    from aretusa_compress.model.placement import (  # noqa: PLC0415 - loads torch
        WEIGHT_SHARE,
        choose_gpus,
        gpu_rooms,
        is_several,
    )

    if not is_several(device):
        check_need(name, need, free_bytes(device))
        return
    weights = sum(size for part, size in need.parts.items() if part in WEIGHT_PARTS)
    chosen = choose_gpus(weights, gpu_rooms())
    free = [room.free_bytes for room in chosen]
    for room, total in zip(chosen, need_by_gpu(need, free, WEIGHT_SHARE), strict=True):
        check_need(f"{name} on GPU {room.gpu}", Need({"its share": total}), room.free_bytes)


def _check_family(name: str, families: tuple[str, ...], family: str) -> None:
    """Raise UsageError E0508 for a stage that cannot change models of this type."""
    if family not in families:
        raise cannot_apply(
            f"the stage {name} cannot change models of type {family}",
            f"it knows {', '.join(families)}",
            "Leave the stage out",
        )
