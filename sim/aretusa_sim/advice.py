"""advise(): what bounds a token, and what changes buy, each planned and simulated anew."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from aretusa.errors import AretusaError
from aretusa.plan.goal import Goal
from aretusa.plan.make import Request, make_plan
from aretusa.report.numbers import bytes_text, count_text, percent_text
from aretusa.trace.listing import listing
from aretusa_sim.advice_changes import attempts
from aretusa_sim.advice_cost import cost_of, request_cycles, token_position
from aretusa_sim.advice_graphs import fresh_graph
from aretusa_sim.advice_results import AdviceResult, Candidate, Change
from aretusa_sim.estimation import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aretusa_sim.advice_changes import Attempt
    from aretusa_sim.advice_results import BoundKey, Cost
    from aretusa_sim.generation import Simulation
    from aretusa_sim.results import OpResult, PhaseResult

DEFAULT_SECONDS: Final = 60.0
FIRST: Final = 5  # ops that are named


def advise(
    done: Estimate | Simulation,
    *,
    seconds: float = DEFAULT_SECONDS,
    progress: Callable[[int, int], None] | None = None,
    now: Callable[[], float] = time.monotonic,
) -> AdviceResult:
    """Try changes for about so many seconds: none begins after them, the likeliest come first.

    `progress` is told how many changes of how many are tried.
    """
    listed, result = done.listing, done.result
    decode = result.phase("decode")
    phase = decode if decode.steps else result.phase("prefill")
    has_contention = result.model.has_contention
    goal, request = _goal(done), _request(done)
    before = cost_of(listed, goal, has_contention=has_contention)
    end, changes, untried = now() + seconds, [], []
    wanted = attempts(listed, request, phase, goal)
    for number, attempt in enumerate(wanted):
        if progress is not None:
            progress(number, len(wanted))
        if now() < end:
            changes.append(_change(attempt, before, goal, has_contention=has_contention))
        else:
            untried.append(attempt.what)
    if progress is not None:
        progress(len(wanted), len(wanted))
    bound, share = _bound(phase.ops)
    return AdviceResult(
        bound=bound,
        bound_share=share,
        reason=_reason(bound, share, phase),
        first=_first(phase),
        position=token_position(listed, goal),
        before=before,
        changes=sorted(changes, key=lambda change: (not change.fits, change.request_share or 0)),
        untried=untried,
    )


def _goal(done: Estimate | Simulation) -> Goal:
    """The request that was simulated: prefill gives the first token of the answer."""
    prefill, decode = done.result.phase("prefill"), done.result.phase("decode")
    context = done.listing.graph.context
    return Goal.within(context, prefill.tokens, 1 + decode.tokens)


def _request(done: Estimate | Simulation) -> Request:
    """What the planner is asked for the same program: the tokens of a step stay.

    Builds are planned for the usual request, as `compile` does it.
    """
    listed = done.listing
    usual = Goal.within(listed.graph.context)
    return Request(
        graph=fresh_graph(listed.graph),
        target=listed.target,
        goal=done.plan.request.goal if isinstance(done, Estimate) else usual,
        engine=None,
        chunks=(listed.graph.chunk_max,),
        tokenizer_bytes=listed.tokenizer_bytes,
        workspace_bytes=listed.workspace_bytes,
    )


def _change(attempt: Attempt, before: Cost, goal: Goal, *, has_contention: bool) -> Change:
    after = share = None
    try:
        plan = make_plan(attempt.request)
    except AretusaError:
        pass
    else:
        after = cost_of(listing(plan), goal, has_contention=has_contention)
        share = request_cycles(after, goal) / request_cycles(before, goal)
    return Change(
        what=attempt.what,
        why=attempt.why,
        how=attempt.how,
        changes_answers=attempt.changes_answers,
        fits=after is not None,
        after=after,
        request_share=share,
    )


def _spent(ops: Sequence[OpResult]) -> dict[BoundKey, int]:
    """Where cycles of the cluster go."""
    return {
        "cores": sum(op.working_cycles for op in ops),
        "n-eureka": sum(op.stalls.engine_cycles for op in ops),
        "dma": sum(op.stalls.dma_cycles for op in ops),
        "off-chip": sum(op.stalls.off_chip_cycles for op in ops),
        "giving work": sum(op.giving_cycles for op in ops),
        "barriers": sum(op.barrier_cycles for op in ops),
    }


def _bound(ops: Sequence[OpResult]) -> tuple[BoundKey, float]:
    spent = _spent(ops)
    bound = max(spent, key=lambda key: spent[key])
    return bound, spent[bound] / max(1, sum(spent.values()))


def _reason(bound: BoundKey, share: float, phase: PhaseResult) -> str:
    each = f"{percent_text(share, 1)} of the {count_text(phase.cycles / phase.tokens)} cycles"
    link = next(unit for unit in phase.units if unit.unit == "off-chip")
    match bound:
        case "cores":
            most = _first(phase)[0]
            return f"the cores compute in {each}, most of it in {most.name}"
        case "n-eureka":
            return f"the cores wait for jobs of N-EUREKA in {each}"
        case "dma":
            return f"the cores wait for transfers of MCHAN in {each}"
        case "off-chip":
            moved = bytes_text(link.moved_bytes // phase.tokens)
            return f"the cores wait for the off-chip link in {each}: it moves {moved} a token"
        case "giving work":
            return f"core 0 gives jobs and transfers in {each}"
        case "barriers":
            return f"the cores meet at barriers in {each}"


def _first(phase: PhaseResult) -> list[Candidate]:
    groups: dict[tuple[str, str], list[OpResult]] = {}
    for op in phase.ops:
        groups.setdefault((op.name, op.engine), []).append(op)
    found = [
        Candidate(
            name=name,
            engine=engine,
            count=len(own),
            bits=own[0].bits,
            cycles=sum(op.cycles for op in own) // phase.tokens,
            share=sum(op.cycles for op in own) / max(1, phase.cycles),
            bound=_bound(own)[0],
        )
        for (name, engine), own in groups.items()
    ]
    return sorted(found, key=lambda one: -one.cycles)[:FIRST]
