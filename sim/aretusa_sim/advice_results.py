"""Advice in a result: what bounds a decoded token, and what changes would buy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aretusa.manifest import Record
from aretusa_sim.energy_results import EnergyRange  # noqa: TC001 - pydantic reads it

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0)]
BoundKey = Literal["cores", "n-eureka", "dma", "off-chip", "giving work", "barriers"]


class Cost(Record):
    """What a prompt and a decoded token in the middle of the answer take."""

    prefill_cycles: Count = Field(description="of the whole prompt")
    prefill_energy: EnergyRange = Field(description="of the whole prompt")
    decode_cycles: Count = Field(description="of the token")
    decode_energy: EnergyRange = Field(description="of the token")
    weight_port_bytes: Count = Field(description="of the token, through N-EUREKA's port")
    dma_bytes: Count = Field(description="of the token, over MCHAN, both ways")
    off_chip_bytes: Count = Field(description="of the token, over the link to L3")
    stored_bytes: Count = Field(description="of weights and caches, in all memories")


class Change(Record):
    """One change, planned and simulated anew. Cycles are of the cluster, as for the whole run."""

    what: str = Field(description="the change, for people")
    why: str = Field(description="what in the run speaks for it")
    how: str = Field(description="option, rule of a policy, or key of a target file")
    changes_answers: bool = Field(description="whether the model computes something else")
    fits: bool = Field(description="whether a plan exists")
    after: Cost | None = Field(description="null without a plan")
    request_share: Share | None = Field(
        description="cycles of the whole request, over those before; null without a plan"
    )


class Candidate(Record):
    """Ops of one name: those that take most of a token come first."""

    name: str = Field(description="as in the table of ops")
    engine: str = Field(description="what computes them")
    count: Count = Field(description="how many there are")
    bits: Count = Field(description="of their weights; 0 if they have none")
    cycles: Count = Field(description="of a mean decoded token")
    share: Share = Field(description="of the cycles of a mean decoded token")
    bound: BoundKey = Field(description="what most of these cycles are spent on")


class AdviceResult(Record):
    """What bounds the run, what to change first, and changes with what they buy."""

    bound: BoundKey = Field(description="what most cycles of a decoded token are spent on")
    bound_share: Share = Field(description="of the token's cycles")
    reason: str = Field(description="the same for people, with numbers")
    first: list[Candidate] = Field(description="ops that take most")
    position: Count = Field(description="of the token that costs are of")
    before: Cost = Field(description="of the program as it is")
    changes: list[Change] = Field(description="those that make the request shortest first")
    untried: list[str] = Field(description="changes that the time did not suffice for")
