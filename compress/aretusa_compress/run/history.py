"""What earlier checkpoints of a run hold: where the weights were still real numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from safetensors import safe_open

from aretusa_compress.model.decode import is_quantised
from aretusa_compress.model.guard import weight_files
from aretusa_compress.run.context import StageContext, cannot_apply

if TYPE_CHECKING:
    from pathlib import Path


def tensor_names(checkpoint: Path) -> list[str]:
    """Of all its files, which are not read."""
    names: list[str] = []
    for path in weight_files(checkpoint):
        with safe_open(path, "pt") as file:
            names += file.keys()
    return names


def last_float(context: StageContext, stage: str) -> tuple[Path, Path]:
    """The newest checkpoint of the run without codes, and the quantised one made from it.

    Raises UsageError E0508 if the source of `stage` is not quantised, or nothing before it is not.
    """
    if not is_quantised(tensor_names(context.source)):
        raise cannot_apply(
            f"{stage} needs quantised weights",
            "there is no error to take back",
            f"Put {stage} behind gptq in the recipe",
        )
    for after, before in pairwise(reversed([*context.history, context.source])):
        if not is_quantised(tensor_names(before)):
            return before, after
    raise cannot_apply(
        f"{stage} needs the model as it was before quantisation",
        "the recipe begins with a quantised model",
        "Let the recipe begin with the float model, with gptq as a stage",
    )
