"""stages_for(): recipes of CALR and of what it is compared with, for models of equal size."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, assert_never

from aretusa_compress.training.options import UpdateOptions

if TYPE_CHECKING:
    from aretusa_compress.calr.options import JointOptions, LayerOptions
    from aretusa_compress.svd.options import Method as Truncation


class Method(StrEnum):
    """Ways to a smaller model."""

    CALR = "calr"
    SVD = "svd"
    WHITENED = "svd-whitened"
    KFAC = "svd-kfac"
    LOSPARSE = "losparse"
    SHORTGPT = "shortgpt"
    LACO = "laco"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Parameters of a model: in all, in the matrices that are factored, and in one block."""

    total: int
    factored: int
    block: int
    blocks: int

    def budget(self, fewer: float) -> float:
        """Share that the factored matrices keep; 0 or less if they do not have so many."""
        return 1.0 - fewer * self.total / self.factored

    def removed(self, fewer: float) -> int:
        """Blocks that hold about as many parameters."""
        return max(1, round(fewer * self.total / self.block))


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The same for all methods that learn; methods that remove blocks learn through adapters."""

    truncation: Truncation
    corrective: int
    layer: LayerOptions
    joint: JointOptions
    recovers_depth: bool
    adapter_rank: int
    adapter_learning_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Which share of all parameters is to go, and which matrices may be factored."""

    counts: Counts
    fewer: float
    matrices: list[str]


def stages_for(
    method: Method, amount: Amount, training: Training, changes: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Stages of a recipe after which the model has so many parameters less.

    `changes` are options of the method's own stage that differ.
    """
    more = changes or {}
    kept = amount.counts.budget(amount.fewer)
    budget = {"matrices": amount.matrices, "budget": kept}
    joint = training.joint.model_dump(mode="json")
    match method:
        case Method.CALR:
            learning = {
                "method": training.truncation.value,
                "corrective": training.corrective,
                "layer": training.layer.model_dump(mode="json"),
                "joint": joint,
            }
            return [{"calr": budget | learning | more}]
        case Method.SVD:
            return [{"svd": budget | {"method": "plain", "weigh": "relative"} | more}]
        case Method.WHITENED:
            return [{"svd": budget | {"method": "whitened"} | more}]
        case Method.KFAC:
            return [{"svd": budget | {"method": "kfac"} | more}]
        case Method.LOSPARSE:
            keep = {"matrices": amount.matrices, "keep": kept}
            return [{"losparse": keep | {"joint": joint | {"factors": False}} | more}]
        case Method.SHORTGPT | Method.LACO:
            return _shorter(method, amount, more) + _recovered(training)
        case _:
            assert_never(method)


def _shorter(method: Method, amount: Amount, more: dict[str, Any]) -> list[dict[str, Any]]:
    free = {"remove": amount.counts.removed(amount.fewer), "protect_first": 0, "protect_last": 0}
    own: dict[str, Any] = (
        {"importance": "block-influence"} if method is Method.SHORTGPT else {"merge": {}}
    )
    return [{"depth": free | own | more}]


def _recovered(training: Training) -> list[dict[str, Any]]:
    """Adapters on all matrices with the updates of joint training, put into the weights."""
    if not training.recovers_depth:
        return []
    updates = {key: getattr(training.joint, key) for key in UpdateOptions.model_fields}
    updates["learning_rate"] = training.adapter_learning_rate
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return [{"lora": {"rank": training.adapter_rank, "matrices": names, **updates}}]
