"""stage_named(): what each stage of a recipe does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aretusa_compress.run.context import Stage


def stage_named(name: str) -> Stage[Any]:
    """The stage of that name; its module is loaded only when it is needed, torch with it."""
    match name:
        case "depth":
            from aretusa_compress.depth.stage import DEPTH  # noqa: PLC0415

            return DEPTH
        case "width":
            from aretusa_compress.width.stage import WIDTH  # noqa: PLC0415

            return WIDTH
        case "lora":
            from aretusa_compress.lora.stage import LORA  # noqa: PLC0415

            return LORA
        case "gptq":
            from aretusa_compress.gptq.stage import GPTQ  # noqa: PLC0415

            return GPTQ
        case "eora":
            from aretusa_compress.eora.stage import EORA  # noqa: PLC0415

            return EORA
        case "svd":
            from aretusa_compress.svd.stage import SVD  # noqa: PLC0415

            return SVD
        case "sensitivity":
            from aretusa_compress.sensitivity.stage import SENSITIVITY  # noqa: PLC0415

            return SENSITIVITY
        case "calr":
            from aretusa_compress.calr.stage import CALR  # noqa: PLC0415

            return CALR
        case "losparse":
            from aretusa_compress.calr.losparse import LOSPARSE  # noqa: PLC0415

            return LOSPARSE
        case _:
            raise AssertionError(f"recipe.schema knows the stage {name}, run.stages does not")
