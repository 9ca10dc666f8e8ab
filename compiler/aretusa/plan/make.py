"""make_plan(): try working sets from generous to tight, place everything, keep the best plan."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.errors import CapacityError
from aretusa.memory.body import bodies
from aretusa.memory.contents import contents
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.memory.lifetimes import buffers
from aretusa.memory.placement import align, peak_bytes
from aretusa.memory.plan import lay_out
from aretusa.memory.working_set import NO_PAGES
from aretusa.neureka.linear import Engine
from aretusa.plan.choice import Load
from aretusa.plan.draft import chosen_options, draft_plan
from aretusa.plan.l1 import live_bytes, place_buffers
from aretusa.plan.linear_options import Setting
from aretusa.plan.shortage import no_l1
from aretusa.plan.solve import GOOD_GAP, first_answer, solve
from aretusa.plan.working import LEVELS, with_chunk, working_set
from aretusa.schedule.roll import roll
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aretusa.ir.graph import Graph
    from aretusa.memory.body import Body
    from aretusa.memory.placement import Slot
    from aretusa.memory.plan import MemoryPlan
    from aretusa.memory.working_set import WorkingSet
    from aretusa.plan.choice import Answer, Option
    from aretusa.plan.draft import Decide, Draft
    from aretusa.plan.goal import Goal
    from aretusa.plan.working import Level
    from aretusa.schedule.roll import RolledGraph
    from aretusa.target.description import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a plan is asked for: `engine` None leaves the engines open, `chunks` are tried."""

    graph: Graph
    target: Target
    goal: Goal
    engine: Engine | None
    chunks: tuple[int, ...]
    tokenizer_bytes: int
    workspace_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every decision about a program. `graph` has its engines and the chunk that was chosen."""

    request: Request
    graph: Graph
    rolled: RolledGraph
    bodies: tuple[Body, ...]
    memory: MemoryPlan
    working: WorkingSet
    options: Mapping[str, Option]
    answer: Answer
    load: Load
    level: Level

    @property
    def setting(self) -> Setting:
        """What the costs of this plan depend on."""
        return Setting(target=self.request.target, goal=self.request.goal, working=self.working)


def make_plan(request: Request) -> Plan:
    """The plan with the fewest cycles for the goal; raises CapacityError where there is none."""
    plan = find_plan(request)
    if plan is None:
        raise _shortage(request)
    return plan


def find_plan(request: Request) -> Plan | None:
    """The same; None if L1 is too small, CapacityError if the other memories are.

    The tokens of a step are chosen with first answers; the solver works for the best of them.
    """
    levels = {chunk: _hopeful_levels(request, chunk) for chunk in request.chunks}
    plans = [
        plan
        for chunk in request.chunks
        if (plan := _first_that_fits(request, chunk, levels[chunk], first_answer)) is not None
    ]
    best = _fastest(plans)
    if request.engine is None and (best is None or best.level is not LEVELS[0]):
        few = levels if best is None else {best.working.chunk: levels[best.working.chunk]}
        best = _fastest([*plans, *_with_one_engine(request, few)])
    if best is None:
        return None
    if best.answer.bound_cycles < best.answer.objective_cycles * (1 - GOOD_GAP):
        chunk = best.working.chunk
        solved = _first_that_fits(best.request, chunk, levels[chunk], solve)
        if solved is not None and solved.load.cycles <= best.load.cycles:
            best = solved
    return replace(best, request=request)


def _fastest(plans: Sequence[Plan]) -> Plan | None:
    return min(plans, key=lambda plan: plan.load.cycles, default=None)


def _with_one_engine(request: Request, levels: Mapping[int, Sequence[Level]]) -> Iterator[Plan]:
    """Each engine alone: the fastest mixture may need more of L1 than one that runs everything."""
    for engine in Engine:
        alone = replace(request, engine=engine)
        with suppress(CapacityError):
            for chunk, hopeful in levels.items():
                plan = _first_that_fits(alone, chunk, hopeful, first_answer)
                if plan is not None:
                    yield plan


def _shortage(request: Request) -> CapacityError:
    """L1 is too small whatever runs where; or something finds no home, whatever runs where."""
    graph = with_chunk(request.graph, min(request.chunks))
    homeless: list[CapacityError] = []
    drafts: list[Draft | None] = []
    for engine in (None, *Engine) if request.engine is None else (request.engine,):
        try:
            changed = replace(request, engine=engine)
            drafts.append(draft_plan(changed, graph, LEVELS[-1], {}, first_answer))
        except CapacityError as shortage:
            homeless.append(shortage)
    tightest = [draft.bodies for draft in drafts if draft is not None]
    return no_l1(request, tightest) if tightest else homeless[0]


def _first_that_fits(
    request: Request, chunk: int, levels: Sequence[Level], decide: Decide
) -> Plan | None:
    """The first level whose working set fits L1."""
    graph = with_chunk(request.graph, chunk)
    seen: set[WorkingSet] = set()
    for level in levels:
        found = _plan_for_level(request, graph, level, seen, decide)
        if found is not None:
            return found
    return None


def _hopeful_levels(request: Request, chunk: int) -> list[Level]:
    """Those for which what lies in L1 whatever runs where fits: a quick look before the work."""
    graph = with_chunk(request.graph, chunk)
    rolled = roll(graph)
    capacity = request.target.memory(MemoryId.L1).capacity_bytes
    hopeful: list[Level] = []
    for level in LEVELS:
        working = working_set(graph, level, {}, {}, NO_PAGES)
        parts = tuple(bodies(graph, rolled, working, is_unsigned=False))
        if live_bytes([buffer for buffer in buffers(parts) if buffer.needs_l1]) <= capacity:
            hopeful.append(level)
    return hopeful


def _plan_for_level(
    request: Request, graph: Graph, level: Level, seen: set[WorkingSet], decide: Decide
) -> Plan | None:
    """Decide engines and homes, then see whether what must lie in L1 does."""
    spilled: dict[MemoryId, int] = {}
    while True:
        draft = draft_plan(request, graph, level, spilled, decide)
        if draft is None or draft.working in seen:
            return None
        arenas = place_buffers(buffers(draft.bodies), request.target)
        if arenas is None:
            seen.add(draft.working)
            return None
        now = {memory: align(peak_bytes(slots)) for memory, slots in arenas.items()}
        now.pop(MemoryId.L1, None)
        if all(size <= spilled.get(memory, 0) for memory, size in now.items()):
            return _finish(request, draft, arenas, level)
        # Decide again with the room that the spilled buffers leave; it only shrinks.
        spilled = {memory: max(size, spilled.get(memory, 0)) for memory, size in now.items()}


def _finish(
    request: Request, draft: Draft, arenas: Mapping[MemoryId, Sequence[Slot]], level: Level
) -> Plan:
    options = chosen_options(draft.problem, draft.answer)
    homes = {
        name + suffix: home for name, option in options.items() for suffix, home in option.homes
    }
    pieces = engine_pieces(draft.graph, is_unsigned=not request.target.has_signed_input)
    found = contents(
        draft.graph,
        pieces,
        tokenizer_bytes=request.tokenizer_bytes,
        workspace_bytes=request.workspace_bytes,
    )
    memory = lay_out(request.target, draft.working, found, homes, arenas)
    load = draft.problem.load(draft.answer.chosen)
    spill = _spill_cycles(request, arenas, draft.working.chunk)
    return Plan(
        request=request,
        graph=draft.graph,
        rolled=draft.rolled,
        bodies=draft.bodies,
        memory=memory,
        working=draft.working,
        options=options,
        answer=draft.answer,
        load=load + spill,
        level=level,
    )


def _spill_cycles(request: Request, arenas: Mapping[MemoryId, Sequence[Slot]], chunk: int) -> Load:
    """What buffers outside L1 cost: every touch loads or stores each word over the bus."""
    target, goal = request.target, request.goal
    near = target.memory(MemoryId.L1).load_cycles
    total = Load()
    for memory, slots in arenas.items():
        extra = target.memory(memory).load_cycles - near
        for slot in slots:
            words = slot.buffer.size_bytes // 4 * slot.buffer.touches
            step = words * extra // target.cluster.cores
            prefill = sum(
                count * step * tokens // chunk for tokens, count in goal.chunks(chunk).items()
            )
            total += Load(prefill_work=prefill, decode_work=goal.decode_tokens * (step // chunk))
    return total
