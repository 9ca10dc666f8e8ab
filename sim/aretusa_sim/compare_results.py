"""What a comparison is: the document behind `aretusa compare`.

A is what was before, B what is now. Cycles, bytes and counts of rows are those of one token of
their phase, so that runs of different lengths can be laid side by side; metrics say what they are.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aretusa.manifest import SCHEMA_VERSION, Record
from aretusa.version import TOOL

Phase = Literal["prefill", "decode"]
Number = Annotated[float, Field(allow_inf_nan=False)]


class SideResult(Record):
    """One of the two results, and what it was made from."""

    source: str = Field(description="file or directory, as it was named; empty for an object")
    kind: Literal["simulate", "plan"] = Field(description="the document that it is")
    tool: str = Field(description="name and version of what made it")
    model: str = Field(description="as its checkpoint names it")
    target: str = Field(description="name of the chip")
    weights: str = Field(description="scheme of the weights")
    context: int = Field(description="positions of the KV cache")
    chunk: int = Field(description="most tokens of a step of prefill")
    clock_hz: int = Field(description="of the cluster")
    has_contention: bool | None = Field(description="whether cores wait for banks; null in a plan")
    tokens: dict[Phase, int] = Field(description="of each phase")


class Difference(Record):
    """A property that is not a number to be weighed."""

    what: str = Field(description="engine, bits, home, ... or an option of the whole run")
    before: str = Field(description="in A")
    after: str = Field(description="in B")


class AmountChange(Record):
    """A number of both sides; null where a side does not have it."""

    before: Number | None = Field(description="in A")
    after: Number | None = Field(description="in B")


class MetricChange(AmountChange):
    """A metric that gates can name."""

    metric: str = Field(description="with its phase, if it belongs to one")
    unit: str = Field(description="of both numbers")
    change: Number | None = Field(description="B less A; null where a side lacks it")
    relative: Number | None = Field(description="change over A; null if A is 0 or a side lacks it")


class CompareRow(Record):
    """One op, or the ops of one name in all layers, of one phase."""

    phase: Phase = Field(description="which")
    layer: int | None = Field(description="null outside of the layers, and for all layers")
    name: str = Field(description="role of the weight without its layer, or of the operation")
    op: str = Field(description="linear, attention, rmsnorm, ...")
    ops: tuple[int, int] = Field(description="how many there are in A and in B")
    cycles: AmountChange = Field(description="of one token")
    change_cycles: Number = Field(description="B less A, a side that lacks the op counting 0")
    contribution: Number | None = Field(
        description="that change over all cycles of the phase in A; null if there are none"
    )
    parts: dict[str, Number] = Field(description="changes of what the cycles consist of")
    amounts: dict[str, AmountChange] = Field(description="bytes, counts and energy that differ")
    differences: list[Difference] = Field(description="engine, bits, home, tiles that differ")
    why: str = Field(description="the same in words, what weighs most first")


class GateResult(Record):
    """A condition under which the comparison fails."""

    expression: str = Field(description="as it was given")
    metric: str = Field(description="with its phase")
    before: Number = Field(description="in A")
    after: Number = Field(description="in B")
    limit: Number = Field(description="what B may not pass")
    fired: bool = Field(description="whether the condition holds")


class CompareResult(Record):
    """Two results side by side."""

    schema_version: int = Field(default=SCHEMA_VERSION, description="of this document")
    verb: Literal["compare"] = Field(default="compare", description="the command")
    tool: str = Field(default=TOOL, description="name and version")
    before: SideResult = Field(description="A")
    after: SideResult = Field(description="B")
    setup: list[Difference] = Field(description="model, target and options that differ")
    metrics: list[MetricChange] = Field(description="all that both or one of them have")
    groups: list[CompareRow] = Field(description="ops of one name, what changes most first")
    rows: list[CompareRow] = Field(description="every op, what changes most first")
    gates: list[GateResult] = Field(description="in the order in which they were given")

    @property
    def passed(self) -> bool:
        """Whether no gate fired."""
        return not any(gate.fired for gate in self.gates)

    def metric(self, name: str) -> MetricChange:
        """One of the metrics."""
        return next(metric for metric in self.metrics if metric.metric == name)
