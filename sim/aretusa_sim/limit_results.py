"""How near a simulation comes to what the chip could do: part of the document of results.

Cycles are those of the cluster's clock. A need is what one resource takes for an amount of work at
its full rate, without any set-up; the largest need of all resources is the roofline's limit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aretusa.manifest import Record

LimitKey = Literal[
    "weight-port", "engine-macs", "cluster-macs", "dma-in", "dma-out", "l1", "l2", "off-chip"
]
Cycles = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class LimitRates(Record):
    """What each resource does in one cycle at most."""

    weight_port_bytes: Rate = Field(description="of N-EUREKA's port to the weight memory")
    engine_bit_macs: Rate = Field(
        description="of N-EUREKA in 3x3 mode with full tiles: multiply-accumulates times the bits "
        "of a weight"
    )
    cluster_macs: Rate = Field(description="of all cores with 8-bit SIMD")
    dma_bytes: Rate = Field(description="of MCHAN, each way")
    l1_bytes: Rate = Field(description="of all banks of L1")
    l2_bytes: Rate = Field(description="of all banks of L2")
    off_chip_bytes: Rate = Field(description="of the link to L3, both ways together")


class LimitResult(Record):
    """Work beside its limit. The pages of an op may come before it: its fraction may exceed 1."""

    cycles: Cycles = Field(description="that it took")
    needs: dict[LimitKey, Cycles] = Field(description="by resource, those that are used")
    bound: LimitKey | None = Field(description="the resource with the largest need; null if none")
    limit_cycles: Cycles = Field(description="its need")
    fraction: float | None = Field(description="limit over cycles; null if no cycle was taken")
    busy_cycles: Cycles | None = Field(
        description="of the unit that the bound belongs to; null for a memory"
    )


class OpLimit(LimitResult):
    """One op over all steps of a phase."""

    layer: Annotated[int, Field(ge=0)] | None = Field(description="null outside of the layers")
    name: str = Field(description="as in the rows of the phase")


class PhaseLimits(Record):
    """Prefill or decode."""

    phase: Literal["prefill", "decode"] = Field(description="which")
    total: LimitResult = Field(description="of all ops together")
    linear: LimitResult = Field(description="of the linear layers together")
    ops: list[OpLimit] = Field(description="in the order of the phase's rows")


class LimitsResult(Record):
    """Rooflines of a run."""

    rates: LimitRates = Field(description="of the chip at the clocks of the run")
    phases: list[PhaseLimits] = Field(description="prefill, then decode")

    def phase(self, name: Literal["prefill", "decode"]) -> PhaseLimits:
        """One of the phases."""
        return next(phase for phase in self.phases if phase.phase == name)
