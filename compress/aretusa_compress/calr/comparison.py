"""Comparison: CALR and other methods at equal size, as runs of recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from aretusa_compress.calr.methods import Amount, Method, Training, stages_for
from aretusa_compress.calr.options import JointOptions, LayerOptions
from aretusa_compress.errors import UsageError
from aretusa_compress.recipe.options import Options
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.recipe.schema import Device, DType
from aretusa_compress.svd.options import Method as Truncation
from aretusa_compress.svd.options import Share
from aretusa_compress.texts.options import DataOptions  # noqa: TC001 - pydantic reads it at run time

if TYPE_CHECKING:
    from aretusa_compress.calr.methods import Counts
    from aretusa_compress.recipe.schema import Recipe

NAME = "comparison"  # of the files with the result


# It is a name of files too.
RowName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Ablation(Options):
    """A method with other options of its stage, or with other `matrices` at the same size."""

    method: Method = Method.CALR
    matrices: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class Comparison(Options):
    """Methods at the shares `fewer` of all parameters of the model that are to go.

    `matrices` are those that are factored. Every method that learns gets the updates of `joint`;
    those that remove blocks learn through adapters, unless `recover_depth` is false, at a learning
    rate of their own if `adapter_learning_rate` is given. CALR begins with a `truncation`.
    `ablations` are further rows by name.
    """

    model: Annotated[str, Field(min_length=1)]
    data: DataOptions
    fewer: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.27, 0.4, 0.52)
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0, 1, 2)
    methods: Annotated[tuple[Method, ...], Field(min_length=1)] = tuple(Method)
    ablations: dict[RowName, Ablation] = Field(default_factory=dict)
    matrices: tuple[str, ...] = ("*",)
    truncation: Truncation = Truncation.KFAC
    corrective: Annotated[int, Field(ge=0)] = 16
    layer: LayerOptions = LayerOptions()
    joint: JointOptions = JointOptions(steps=60)
    recover_depth: bool = True
    adapter_rank: Annotated[int, Field(ge=1)] = 16
    adapter_learning_rate: Annotated[float, Field(gt=0.0)] | None = None
    device: Device = Device.AUTO
    dtype: DType = DType.FLOAT32
    threads: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _names_each_row_once(self) -> Self:
        doubled = sorted(self.ablations.keys() & set(Method))
        if doubled:
            raise ValueError(f"'{doubled[0]}' is a method; give the ablation another name")
        return self


@dataclass(frozen=True, slots=True)
class Run:
    """One model to make."""

    row: str
    method: Method
    matrices: tuple[str, ...]
    changes: dict[str, Any]
    fewer: float
    seed: int

    @property
    def directory(self) -> str:
        """Below the directory of the comparison."""
        return f"{self.row}-{100 * self.fewer:g}-{self.seed}"


def runs_of(comparison: Comparison) -> list[Run]:
    """All models to make, method by method."""
    rows = {one.value: Ablation(method=one) for one in comparison.methods}
    return [
        Run(row, one.method, one.matrices or comparison.matrices, one.options, fewer, seed)
        for fewer in comparison.fewer
        for row, one in (rows | comparison.ablations).items()
        for seed in comparison.seeds
    ]


def recipe_for(comparison: Comparison, run: Run, counts: Counts) -> Recipe:
    """The recipe of one model; `counts` are those with the run's matrices.

    Raises UsageError E0508 if so many parameters cannot go.
    """
    if counts.budget(run.fewer) <= 0:
        raise UsageError(
            "E0508",
            f"{run.fewer:.0%} of the parameters cannot go",
            why=f"{counts.factored:,} of {counts.total:,} are in the matrices of {run.row}",
            fix="Lower fewer, or choose more matrices",
        )
    training = Training(
        truncation=comparison.truncation,
        corrective=comparison.corrective,
        layer=comparison.layer,
        joint=comparison.joint,
        recovers_depth=comparison.recover_depth,
        adapter_rank=comparison.adapter_rank,
        adapter_learning_rate=comparison.adapter_learning_rate or comparison.joint.learning_rate,
    )
    amount = Amount(counts=counts, fewer=run.fewer, matrices=list(run.matrices))
    stages = stages_for(run.method, amount, training, run.changes)
    return recipe_with(comparison, stages, run.seed, f"{NAME}: {run.row}")


def recipe_with(
    comparison: Comparison, stages: list[dict[str, Any]], seed: int, name: str
) -> Recipe:
    """The recipe of a comparison with these stages; it evaluates nothing."""
    document = {
        "model": comparison.model,
        "stages": stages,
        "data": comparison.data.model_dump(mode="json", exclude={"evaluation"}),
        "seed": seed,
        "device": comparison.device,
        "dtype": comparison.dtype,
        "threads": comparison.threads,
    }
    return parse_recipe(document, name)
