"""time_build(): the time of a build's program, without the tokens that it would write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.plan.goal import Goal
from aretusa.program import Program
from aretusa_sim.estimation import time_steps
from aretusa_sim.generation import built_summary
from aretusa_sim.listings import built_listing, with_clock
from aretusa_sim.results import SimulationResult
from aretusa_sim.summarise import Tokens, summarise
from aretusa_sim.timing import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.plan_results import PlanReport
    from aretusa.trace.listing import Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How many tokens are timed, and at which clock; what is None is what is usual."""

    prefill_tokens: int | None = None
    decode_tokens: int | None = None
    clock_hz: int | None = None
    has_contention: bool = True

    def like(self, other: SimulationResult | PlanReport | None) -> Length:
        """With what another run had wherever nothing else was asked for."""
        if not isinstance(other, SimulationResult):
            return self
        prefill, decode = (other.phase(name) for name in ("prefill", "decode"))
        return Length(
            prefill_tokens=self.prefill_tokens or prefill.tokens,
            decode_tokens=self.decode_tokens or decode.tokens + 1,  # the last one is not fed back
            clock_hz=self.clock_hz or other.clock_hz,
            has_contention=other.model.has_contention,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedBuild:
    """The time of a build's program, and the numbers of the program."""

    result: SimulationResult
    listing: Listing


def time_build(
    build: Path, length: Length, progress: Callable[[int, int], None] | None = None
) -> TimedBuild:
    """Cycles do not depend on which tokens they are: none are generated."""
    program = Program.open(build)
    listing = with_clock(built_listing(program), length.clock_hz)
    options = program.manifest.options
    goal = Goal.within(options.context, length.prefill_tokens, length.decode_tokens)
    simulator = Simulator(listing, has_contention=length.has_contention)
    prefill, decode = time_steps(simulator, goal, options.chunk, progress)
    summary = built_summary(program, listing, has_contention=length.has_contention)
    result = summarise(listing, summary, prefill, decode, Tokens())
    return TimedBuild(result=result, listing=listing)
