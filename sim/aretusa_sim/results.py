"""What a simulation is: the document behind tables, plots and `--json`.

Cycles are those of the cluster's clock, bytes bytes; layers and positions count from 0. Prefill is
all steps of the prompt, the last one with the choice of the first token; decode are the steps of
one token each that follow. The cycles of a phase are those of its steps and those of its ops.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aretusa.manifest import SCHEMA_VERSION, Record
from aretusa.version import TOOL
from aretusa_sim.advice_results import AdviceResult  # noqa: TC001 - pydantic reads it
from aretusa_sim.energy_results import (  # noqa: TC001 - pydantic reads them
    EnergyConstant,
    EnergyRange,
    EnergyResult,
    PowerRange,
)
from aretusa_sim.limit_results import LimitsResult  # noqa: TC001 - pydantic reads it

Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0)]
PerSecond = Annotated[float, Field(ge=0, allow_inf_nan=False)]
MemoryKey = Annotated[str, Field(pattern=r"^(l1|l2|sram|mram|l3)$")]
UnitKey = Literal["n-eureka", "dma-in", "dma-out", "off-chip", "cluster"]
ByMemory = dict[MemoryKey, Count]


class MacCount(Record):
    """Multiply-accumulates of one unit with weights of one width."""

    unit: UnitKey = Field(description="what multiplies")
    mode: Literal["3x3", "1x1"] | None = Field(description="of N-EUREKA; null for the cluster")
    bits: Count = Field(description="of a weight, or of a cached key or value")
    count: Count = Field(description="that the model asks for; padding is left out")


class StallResult(Record):
    """Cycles in which core 0, and with it the cluster, waits."""

    engine_cycles: Count = Field(description="for a job")
    dma_cycles: Count = Field(description="for a transfer within the chip")
    off_chip_cycles: Count = Field(description="for a transfer from or to L3")


class UnitResult(Record):
    """One unit over a phase."""

    unit: UnitKey = Field(description="which one")
    busy_cycles: Count = Field(description="in which it does something")
    idle_cycles: Count = Field(description="of the phase's cycles, the others")
    utilisation: Fraction = Field(description="busy over all cycles of the phase")
    moved_bytes: Count = Field(description="over its link or port; 0 for the cluster")


class OpResult(Record):
    """One op over all steps of a phase. Its traffic counts where it is used, not when it moves."""

    layer: Count | None = Field(description="null before the first layer and after the last")
    name: str = Field(description="role of the weight without its layer, or of the operation")
    op: str = Field(description="linear, attention, rmsnorm, ...")
    engine: str = Field(description="what computes it")
    memory: MemoryKey | None = Field(description="home of its weights or its cache, or null")
    bits: Count = Field(description="of a weight; 0 if there is none")
    tile_rows: Count = Field(description="rows of one tile or page; 0 if read in place")
    macs: list[MacCount] = Field(description="by unit and bits")
    cycles: Count = Field(description="from its start to that of the next op")
    working_cycles: Count = Field(description="in which all cores compute")
    giving_cycles: Count = Field(description="in which core 0 gives jobs and transfers")
    barrier_cycles: Count = Field(description="of barriers")
    stalls: StallResult = Field(description="the rest of the cycles, by cause")
    engine_cycles: Count = Field(description="that N-EUREKA is busy with it")
    dma_in_cycles: Count = Field(description="that MCHAN is busy with it, towards L1")
    dma_out_cycles: Count = Field(description="the same from L1")
    off_chip_cycles: Count = Field(description="that the off-chip link is busy with it")
    weight_port_bytes: Count = Field(description="through N-EUREKA's port to the weight memory")
    dma_in_bytes: Count = Field(description="towards L1")
    dma_out_bytes: Count = Field(description="from L1")
    off_chip_bytes: Count = Field(description="over the link to L3, both ways")
    read_bytes: ByMemory = Field(description="by memory: of cores, transfers and jobs")
    written_bytes: ByMemory = Field(description="the same for writes")
    instructions: Count = Field(description="of all cores, counted in the kernels")
    jobs: Count = Field(description="of N-EUREKA")
    transfers: Count = Field(description="of MCHAN and of the off-chip link")
    utilisation: Fraction = Field(description="of the unit that binds it, over its cycles")
    bound: UnitKey = Field(description="the unit that is busy longest with it")
    energy: EnergyResult = Field(description="of what is counted here")


class StepResult(Record):
    """One call of the network."""

    phase: Literal["prefill", "decode"] = Field(description="of the prompt, or of one new token")
    tokens: Count = Field(description="new tokens")
    position: Count = Field(description="of the first of them")
    start_cycle: Count = Field(description="from the start of the run")
    cycles: Count = Field(description="until the last op is done")
    energy: EnergyResult = Field(description="of all its ops")


class PhaseResult(Record):
    """Prefill or decode, all of its steps together."""

    phase: Literal["prefill", "decode"] = Field(description="which")
    steps: Count = Field(description="calls of the network")
    tokens: Count = Field(description="of the prompt, or new ones")
    cycles: Count = Field(description="of all steps")
    seconds: Annotated[float, Field(ge=0)] = Field(description="at the clock")
    tokens_per_second: PerSecond = Field(description="at the clock; 0 if there is no step")
    instructions: Count = Field(description="of all cores")
    energy: EnergyResult = Field(description="of all ops")
    energy_per_token: EnergyRange = Field(description="of the phase, over its tokens")
    mean_power: PowerRange = Field(description="of the phase, over its time")
    units: list[UnitResult] = Field(description="every unit")
    ops: list[OpResult] = Field(description="in the order of their work")


class OccupancyResult(Record):
    """Bytes of one memory that are alive, epoch after epoch of the schedule."""

    memory: MemoryKey = Field(description="which")
    size_bytes: Count = Field(description="all of it")
    capacity_bytes: Count = Field(description="less what the plan may not use")
    alive_bytes: list[Count] = Field(description="by epoch")


class ModelSummary(Record):
    """What was simulated."""

    name: str = Field(description="as its checkpoint names it")
    target: str = Field(description="name of the chip")
    weights: str = Field(description="scheme of the weights")
    context: Count = Field(description="positions of the KV cache")
    chunk: Count = Field(description="most tokens of a step of prefill")
    has_contention: bool = Field(description="whether cores wait for each other's banks")


class SimulationResult(Record):
    """Time of a prompt and of the tokens that follow it, and what every unit did."""

    schema_version: int = Field(default=SCHEMA_VERSION, description="of this document")
    verb: Literal["simulate"] = Field(default="simulate", description="the command")
    tool: str = Field(default=TOOL, description="name and version")
    model: ModelSummary = Field(description="what")
    clock_hz: Count = Field(description="of the cluster")
    peripheral_hz: Count = Field(description="of the off-chip link")
    is_estimate: bool = Field(description="whether there are no weights, hence no tokens")
    prompt_tokens: list[Count] = Field(description="ids; empty for an estimate")
    new_tokens: list[Count] = Field(description="ids; empty for an estimate")
    text: str = Field(description="of the new tokens")
    cycles: Count = Field(description="of all steps")
    seconds: Annotated[float, Field(ge=0)] = Field(description="at the clock")
    energy: EnergyResult = Field(description="of all steps")
    mean_power: PowerRange = Field(description="of all steps, over their time")
    steps: list[StepResult] = Field(description="in their order")
    phases: list[PhaseResult] = Field(description="prefill, then decode")
    limits: LimitsResult = Field(description="how near ops and phases come to what the chip could")
    epochs: list[str] = Field(description="labels of the schedule's epochs")
    occupancy: list[OccupancyResult] = Field(description="of every memory")
    advice: AdviceResult | None = Field(default=None, description="null if it was not asked for")
    energy_constants: list[EnergyConstant] = Field(description="of the target")
    notes: list[str] = Field(description="what is approximated")

    def phase(self, name: Literal["prefill", "decode"]) -> PhaseResult:
        """One of the phases."""
        return next(phase for phase in self.phases if phase.phase == name)
