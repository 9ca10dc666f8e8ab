"""estimate(): the time of a model on the chip, from its shapes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.options import CompileOptions
from aretusa.planning import weights_text
from aretusa.shapes import open_shapes
from aretusa.trace.listing import listing
from aretusa.verbs.plan import PlanRequest, plan_shapes
from aretusa_sim.listings import with_clock
from aretusa_sim.results import ModelSummary
from aretusa_sim.schedule import prefill_steps
from aretusa_sim.summarise import Tokens, summarise
from aretusa_sim.timing import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.plan.goal import Goal
    from aretusa.plan.make import Plan
    from aretusa.trace.listing import Listing
    from aretusa_sim.results import SimulationResult
    from aretusa_sim.timing import StepTiming


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate: its document, and the plan that was simulated."""

    result: SimulationResult
    plan: Plan
    listing: Listing
    timings: tuple[StepTiming, ...]


def estimate(
    model: Path,
    *,
    bits: int | None = None,
    context: int | None = None,
    chunk: int | None = None,
    target: str = "siracusa",
    options: CompileOptions | None = None,
    prefill_tokens: int | None = None,
    decode_tokens: int | None = None,
    clock_hz: int | None = None,
    has_contention: bool = True,
    has_intervals: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate:
    """Plan a checkpoint or a config.json as `aretusa plan` does, and time the plan.

    `options` replace the four arguments before them. Every decoded token is simulated.
    """
    if options is None:
        options = CompileOptions(bits=bits, context=context, chunk=chunk, target=target)
    shapes = open_shapes(model, options.adapter)
    asked = PlanRequest(options=options, prefill_tokens=prefill_tokens, decode_tokens=decode_tokens)
    plan = plan_shapes(shapes, asked)
    return timed_plan(
        shapes.name,
        options,
        plan,
        plan.request.goal,
        clock_hz=clock_hz,
        has_contention=has_contention,
        has_intervals=has_intervals,
        progress=progress,
    )


def timed_plan(
    name: str,
    options: CompileOptions,
    plan: Plan,
    goal: Goal,
    *,
    clock_hz: int | None = None,
    has_contention: bool = True,
    has_intervals: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate:
    """Time a plan for a goal, which may be another one than it was made for."""
    listed = with_clock(listing(plan), clock_hz)
    simulator = Simulator(listed, has_contention=has_contention, has_intervals=has_intervals)
    prefill, decode = time_steps(simulator, goal, plan.working.chunk, progress)
    summary = ModelSummary(
        name=name,
        target=listed.target.name,
        weights=weights_text(options),
        context=plan.graph.context,
        chunk=plan.working.chunk,
        has_contention=has_contention,
    )
    result = summarise(listed, summary, prefill, decode, Tokens())
    return Estimate(result=result, plan=plan, listing=listed, timings=(*prefill, *decode))


def time_steps(
    simulator: Simulator, goal: Goal, chunk: int, progress: Callable[[int, int], None] | None
) -> tuple[list[StepTiming], list[StepTiming]]:
    """The prompt, then a step for each new token that is fed back: the last one is not."""
    tokens, new = goal.prefill_tokens, goal.decode_tokens
    prefill: list[StepTiming] = []
    decode: list[StepTiming] = []
    for step in prefill_steps(tokens, chunk):
        prefill.append(simulator.step(step.tokens, step.position, has_head=step.has_head))
        if progress is not None:
            progress(step.position + step.tokens, tokens + new - 1)
    for position in range(tokens, tokens + max(1, new - 1)):
        decode.append(simulator.step(1, position, has_head=True))
        if progress is not None:
            progress(position + 1, tokens + new - 1)
    return prefill, decode
