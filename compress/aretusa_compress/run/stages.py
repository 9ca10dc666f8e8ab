"""stage_named(): what each stage of a recipe does."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aretusa_compress.run.context import Stage

# Module and object of every stage that recipe.schema knows.
_PLACES: Final = {
    "depth": ("depth.stage", "DEPTH"),
    "width": ("width.stage", "WIDTH"),
    "lora": ("lora.stage", "LORA"),
    "gptq": ("gptq.stage", "GPTQ"),
    "awq": ("awq.stage", "AWQ"),
    "eora": ("eora.stage", "EORA"),
    "svd": ("svd.stage", "SVD"),
    "sensitivity": ("sensitivity.stage", "SENSITIVITY"),
    "calr": ("calr.stage", "CALR"),
    "losparse": ("calr.losparse", "LOSPARSE"),
    "fit": ("fit.stage", "FIT"),
    "tune": ("tune.stage", "TUNE"),
    "rotate": ("rotations.stage", "ROTATE"),
}


def stage_named(name: str) -> Stage[Any]:
    """The stage of that name; its module is loaded only when it is needed, torch with it."""
    assert name in _PLACES, f"recipe.schema knows the stage {name}, run.stages does not"
    module, attribute = _PLACES[name]
    found: Stage[Any] = getattr(import_module(f"aretusa_compress.{module}"), attribute)
    return found
