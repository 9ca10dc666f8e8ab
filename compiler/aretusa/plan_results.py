"""What the plan of a model is: the document behind the report's page, its tables and `--json`.

Bytes are bytes, cycles those of the cluster's clock. A step is an epoch of the schedule, counted
from 0; layers are counted from 0, too. A plan holds nothing of the machine that made it and no
time of day, so that the same model, target and options give the same document.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from aretusa.manifest import SCHEMA_VERSION, Record
from aretusa.version import TOOL

MemoryKey = Annotated[str, Field(pattern=r"^(l1|l2|sram|mram|l3)$")]
Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
PerSecond = Annotated[float, Field(ge=0, allow_inf_nan=False)]
EngineName = Annotated[str, Field(pattern=r"^(cluster|neureka-1x1|neureka-3x3|split)$")]
Bound = Literal["engine", "cluster", "dma", "off-chip"]


class PlanModel(Record):
    """The model that was planned."""

    name: str = Field(description="as its checkpoint names it")
    parameters: Count = Field(description="weights, a tied matrix once")
    layers: Count = Field(description="transformer layers")
    hidden_size: Count = Field(description="elements of one token between two layers")
    vocabulary: Count = Field(description="entries of the tokenizer, rows of the head")


class PlanOptions(Record):
    """What the plan was asked for, resolved."""

    weights: str = Field(description="scheme or policy of the weights, in words")
    context: Count = Field(description="positions of the KV cache")
    chunk: Count = Field(description="most tokens of one prefill step")
    kv_bits: str = Field(
        default="8", description="of cached keys and values, or keys:values where they differ"
    )
    prefill_tokens: Count = Field(
        description="tokens of the prompt in that mix, and in the cycles of prefill"
    )
    decode_tokens: Count = Field(description="new tokens of the mix that the placement minimises")


class TierResult(Record):
    """How full one memory is."""

    memory: MemoryKey = Field(description="the memory")
    size_bytes: Count = Field(description="all of it")
    reserved_bytes: Count = Field(description="what the plan may not use, at the end")
    reserved_for: str = Field(description="what the reserved bytes hold, in words; empty if 0")
    capacity_bytes: Count = Field(description="size less reserve: what the plan may use")
    used_bytes: Count = Field(description="end of the last region")
    peak_bytes: Count = Field(description="most bytes alive in one step")
    peak_at: str = Field(description="label of the first step with the peak; empty if nothing")
    bytes_by_kind: dict[str, Count] = Field(description="sizes of the regions, summed by kind")


class RegionResult(Record):
    """Bytes of one memory with a name, a kind and a life."""

    name: str = Field(description="the tensor or the purpose")
    kind: str = Field(
        description="weight, table, tokenizer, cache, workspace, buffer, ring, scratch, "
        "image header, ..."
    )
    memory: MemoryKey = Field(description="the memory it lies in")
    offset_bytes: Count = Field(description="from the start of the memory")
    size_bytes: Count = Field(description="its bytes, without padding")
    first_step: Count = Field(description="index into steps of the first step it is alive in")
    last_step: Count = Field(description="index of the last one; constants live through all steps")


class LayerResult(Record):
    """One operation of one layer. Bytes and MACs are those of a decode step: one token."""

    layer: Count | None = Field(description="null before the first layer and after the last")
    name: str = Field(description="role of the weight without its layer, or of the operation")
    op: str = Field(description="linear, attention, rmsnorm, ...")
    engine: EngineName = Field(description="what computes it")
    reason: str = Field(description="why this engine, in words; empty if there is no choice")
    bits: Count = Field(description="of a weight; 0 if there is none")
    group: Count = Field(description="columns that share a scale; 0: one scale per row, or none")
    sparsity: str = Field(
        default="",
        description="N:M where N of every M columns are zero and left out; empty if all are stored",
    )
    rows: Count = Field(description="output elements of one token")
    depth: Count = Field(description="length of the dot products; 0 if there are none")
    weight_bytes: Count = Field(description="weights as stored, with scales")
    memory: MemoryKey | None = Field(description="home of the weights; null if there are none")
    paged: bool = Field(description="whether the weights pass through the SRAM in slices of rows")
    tile_rows: Count = Field(description="rows of one tile in L1; 0 if read in place")
    tiles: Count = Field(description="tiles or pages of one pass over the weights")
    slots: Count = Field(description="tiles or pages that the ring holds at once")
    buffers: str = Field(description="where inputs, outputs and scratch lie, in words")
    macs: Count = Field(description="multiply-accumulates")
    weight_port_bytes: Count = Field(description="through N-EUREKA's port to the weight memory")
    dma_bytes: Count = Field(description="between L1 and the other on-chip memories")
    off_chip_bytes: Count = Field(description="over the link to L3, both ways")
    l1_bytes: Count | None = Field(default=None, description="of L1 alive with it; null if unknown")
    decode_cycles: Count = Field(description="of one new token")
    prefill_cycles: Count = Field(description="of the whole prompt")
    bound: Bound = Field(description="what takes the most cycles of a decode step")
    prefill_bound: Bound | None = Field(
        default=None, description="what takes the most cycles of prefill; null if unknown"
    )


class PlacementResult(Record):
    """How good the homes of the weights are, in cycles of the mix of prefill and decode."""

    objective_cycles: Count = Field(description="of the chosen placement")
    bound_cycles: Count = Field(
        description="with this chunk and these buffers no placement takes fewer: the solver's proof"
    )
    gap: Fraction = Field(description="(objective - bound) / objective, 0 if proven optimal")
    status: Literal["optimal", "feasible", "greedy"] = Field(
        description="proven; best found within the limit; no solver, the fallback rule"
    )
    first_fit_cycles: Count = Field(description="of placing each weight where it first fits")


class TotalsResult(Record):
    """The whole model."""

    decode_cycles_per_token: Count = Field(description="one new token")
    decode_tokens_per_second: PerSecond = Field(description="at the clock")
    prefill_cycles: Count = Field(description="the whole prompt")
    prefill_tokens_per_second: PerSecond = Field(description="tokens of the prompt at the clock")
    clock_hz: Count = Field(description="of the cluster")
    off_chip_bytes_per_token: Count = Field(description="over the link to L3 in decode")
    macs_per_token: Count = Field(description="multiply-accumulates in decode")
    image_bytes: dict[MemoryKey, Count] = Field(description="of each weight image")


class WayOut(Record):
    """A change of the options and what it would bring."""

    what: str = Field(description="the change in words")
    option: str = Field(description="the exact option of the command line")
    fits: bool = Field(description="whether the plan fits then")
    decode_cycles_per_token: Count | None = Field(description="null if it does not fit")


class Shortage(Record):
    """Why a plan does not fit."""

    memory: MemoryKey = Field(description="the memory that is too small")
    what: str = Field(description="what found no room")
    need_bytes: Count = Field(description="that it needs in one piece")
    free_bytes: Count = Field(description="that are left for it")
    short_bytes: Count = Field(description="need less free")


class PlanReport(Record):
    """A plan: where everything lies, what runs where, and how long it takes."""

    schema_version: int = Field(default=SCHEMA_VERSION, description="of this document")
    verb: Literal["plan"] = Field(default="plan", description="the command that printed it")
    tool: str = Field(default=TOOL, description="name and version of the compiler")
    model: PlanModel = Field(description="what was planned")
    target: str = Field(description="name of the chip")
    options: PlanOptions = Field(description="for what")
    fits: bool = Field(description="whether everything has a place")
    tiers: list[TierResult] = Field(description="memories, the fastest first")
    steps: list[str] = Field(description="labels of the schedule's epochs in their order")
    regions: list[RegionResult] = Field(description="by memory and offset")
    layers: list[LayerResult] = Field(description="operations in the order of their work")
    placement: PlacementResult | None = Field(description="null if nothing could be placed")
    totals: TotalsResult | None = Field(description="null if the plan does not fit")
    ways_out: list[WayOut] = Field(description="the cheapest first; empty if the plan fits")
    shortage: Shortage | None = Field(description="null if and only if the plan fits")
    notes: list[str] = Field(description="assumptions that the reader should know")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.fits != (self.shortage is None):
            raise ValueError("a plan has a shortage if and only if it does not fit")
        for region in self.regions:
            if not region.first_step <= region.last_step < max(1, len(self.steps)):
                raise ValueError(f"region {region.name!r} lives outside the steps")
        return self
