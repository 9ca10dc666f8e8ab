"""Recipe: a model, the stages it goes through, the texts they use."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, SerializeAsAny

from aretusa_compress.awq.options import AwqOptions
from aretusa_compress.calr.options import CalrOptions, LosparseOptions
from aretusa_compress.depth.options import DepthOptions
from aretusa_compress.eora.options import EoraOptions
from aretusa_compress.fit.options import FitOptions
from aretusa_compress.gptq.options import GptqOptions
from aretusa_compress.lora.options import LoraOptions
from aretusa_compress.recipe.options import Options
from aretusa_compress.rotations.options import RotateOptions
from aretusa_compress.sensitivity.options import SensitivityOptions
from aretusa_compress.svd.options import SvdOptions
from aretusa_compress.texts.options import DataOptions
from aretusa_compress.tune.options import TuneOptions
from aretusa_compress.width.options import WidthOptions

# Every stage that a recipe may name, and its options; run/stages.py has what they do.
STAGE_OPTIONS: Final[dict[str, type[Options]]] = {
    "depth": DepthOptions,
    "width": WidthOptions,
    "lora": LoraOptions,
    "gptq": GptqOptions,
    "awq": AwqOptions,
    "eora": EoraOptions,
    "svd": SvdOptions,
    "sensitivity": SensitivityOptions,
    "calr": CalrOptions,
    "losparse": LosparseOptions,
    "fit": FitOptions,
    "tune": TuneOptions,
    "rotate": RotateOptions,
}


class Device(StrEnum):
    """Where tensors are computed."""

    AUTO = "auto"  # a GPU if there is one
    CPU = "cpu"
    CUDA = "cuda"


class DType(StrEnum):
    """How weights are held and stored between stages."""

    AUTO = "auto"  # as the model stores them
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class StageEntry(Options):
    """One stage of a recipe: in YAML a mapping from its name to its options."""

    name: str
    options: SerializeAsAny[Options]


class Recipe(Options):
    """A model, the stages that it goes through in this order, and the texts that they use.

    `threads` are those of one tensor operation on the CPU; without it as many as there are cores.
    Results are equal to the last bit for equal threads, device and versions.
    """

    model: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    stages: tuple[StageEntry, ...] = ()
    data: DataOptions = DataOptions()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    device: Device = Device.AUTO
    dtype: DType = DType.AUTO
    threads: Annotated[int, Field(ge=1)] | None = None

    @property
    def stage_names(self) -> list[str]:
        """Directories of the stages: 1-depth, 2-width, ..."""
        return [f"{index}-{stage.name}" for index, stage in enumerate(self.stages, 1)]

    def document(self) -> dict[str, Any]:
        """The recipe as a user would write it, with every default written out."""
        document = self.model_dump(mode="json")
        document["stages"] = [
            {stage.name: stage.options.model_dump(mode="json")} for stage in self.stages
        ]
        return document
