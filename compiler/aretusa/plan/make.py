"""make_plan(): try working sets from generous to tight, place everything, keep the best plan."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.errors import CapacityError
from aretusa.ir import ops
from aretusa.memory.body import bodies
from aretusa.memory.contents import contents, matrix_biases
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.memory.lifetimes import buffers
from aretusa.memory.placement import align, peak_bytes
from aretusa.memory.plan import lay_out
from aretusa.memory.working_set import NO_PAGES
from aretusa.neureka.linear import Engine
from aretusa.plan.choice import Load
from aretusa.plan.l1 import live_bytes, place_buffers
from aretusa.plan.linear_options import Setting
from aretusa.plan.problem import build_problem
from aretusa.plan.shortage import no_home, no_l1
from aretusa.plan.solve import GOOD_GAP, first_answer, solve
from aretusa.plan.working import LEVELS, cluster_matrices, page_ring, with_chunk, working_set
from aretusa.schedule.roll import roll
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aretusa.ir.graph import Graph
    from aretusa.memory.body import Body
    from aretusa.memory.placement import Slot
    from aretusa.memory.plan import MemoryPlan
    from aretusa.memory.working_set import WorkingSet
    from aretusa.plan.choice import Answer, Option, Problem
    from aretusa.plan.goal import Goal
    from aretusa.plan.working import Level
    from aretusa.schedule.roll import RolledGraph
    from aretusa.target.description import Target

    Decide = Callable[[Problem], Answer | None]


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
    """The plan with the fewest cycles for the goal; raises CapacityError where there is none.

    The tokens of a step are chosen with first answers; the solver works for the best of them.
    """
    plans = [
        plan
        for chunk in request.chunks
        if (plan := _first_that_fits(request, chunk, first_answer)) is not None
    ]
    best = _fastest(plans)
    chunks = request.chunks if best is None else (best.working.chunk,)
    if request.engine is None and (best is None or best.level is not LEVELS[0]):
        best = _fastest([*plans, *_with_one_engine(request, chunks)])
    if best is None:
        raise _shortage(request)
    if best.answer.bound_cycles < best.answer.objective_cycles * (1 - GOOD_GAP):
        solved = _first_that_fits(best.request, best.working.chunk, solve)
        if solved is not None and solved.load.cycles <= best.load.cycles:
            best = solved
    return replace(best, request=request)


def _fastest(plans: Sequence[Plan]) -> Plan | None:
    return min(plans, key=lambda plan: plan.load.cycles, default=None)


def _with_one_engine(request: Request, chunks: Sequence[int]) -> Iterator[Plan]:
    """Each engine alone: the fastest mixture may need more of L1 than one that runs everything."""
    for engine in Engine:
        with suppress(CapacityError):
            for chunk in chunks:
                plan = _first_that_fits(replace(request, engine=engine), chunk, first_answer)
                if plan is not None:
                    yield plan


def _shortage(request: Request) -> CapacityError:
    """L1 is too small whatever runs where; or something finds no home, whatever runs where."""
    graph = with_chunk(request.graph, min(request.chunks))
    homeless: list[CapacityError] = []
    drafts: list[_Draft | None] = []
    for engine in (None, *Engine) if request.engine is None else (request.engine,):
        try:
            changed = replace(request, engine=engine)
            drafts.append(_draft(changed, graph, LEVELS[-1], {}, first_answer))
        except CapacityError as shortage:
            homeless.append(shortage)
    tightest = [draft.bodies for draft in drafts if draft is not None]
    return no_l1(request, tightest) if tightest else homeless[0]


def _first_that_fits(request: Request, chunk: int, decide: Decide) -> Plan | None:
    """The first level whose working set fits L1."""
    graph = with_chunk(request.graph, chunk)
    seen: set[WorkingSet] = set()
    for level in LEVELS:
        if not _could_fit(request, graph, level):
            continue
        found = _plan_for_level(request, graph, level, seen, decide)
        if found is not None:
            return found
    return None


def _could_fit(request: Request, graph: Graph, level: Level) -> bool:
    """Whether what lies in L1 whatever runs where leaves a hope: a quick look before the work."""
    working = working_set(graph, level, {}, {}, NO_PAGES)
    parts = tuple(bodies(graph, roll(graph), working, is_unsigned=False))
    bound = [buffer for buffer in buffers(parts) if buffer.needs_l1]
    return live_bytes(bound) <= request.target.memory(MemoryId.L1).capacity_bytes


def _plan_for_level(
    request: Request, graph: Graph, level: Level, seen: set[WorkingSet], decide: Decide
) -> Plan | None:
    """Decide engines and homes, then see whether what must lie in L1 does."""
    spilled: dict[MemoryId, int] = {}
    while True:
        draft = _draft(request, graph, level, spilled, decide)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """Engines and homes, before the buffers have places."""

    graph: Graph
    rolled: RolledGraph
    bodies: tuple[Body, ...]
    working: WorkingSet
    problem: Problem
    answer: Answer


def _draft(
    request: Request,
    graph: Graph,
    level: Level,
    spilled: Mapping[MemoryId, int],
    decide: Decide,
) -> _Draft | None:
    working = _generous(graph, level)
    problem = build_problem(
        graph,
        Setting(target=request.target, goal=request.goal, working=working),
        request.engine,
        tokenizer_bytes=request.tokenizer_bytes,
        workspace_bytes=request.workspace_bytes,
        spilled_bytes=spilled,
    )
    answer = decide(problem)
    if answer is None and spilled:
        return None  # a tighter level or a shorter step spills less
    if answer is None:
        raise no_home(problem, request)
    options = _chosen(problem, answer)
    mapped = _with_engines(graph, options)
    is_unsigned = not request.target.has_signed_input
    pieces = engine_pieces(mapped, is_unsigned=is_unsigned)
    rests = cluster_matrices(mapped, pieces, _linear_weights(mapped))
    is_paged = any(option.is_paged for option in options.values())
    pages = working.pages if is_paged else NO_PAGES
    working = working_set(mapped, level, rests, matrix_biases(mapped), pages)
    rolled = roll(mapped)
    parts = tuple(bodies(mapped, rolled, working, is_unsigned=is_unsigned))
    return _Draft(
        graph=mapped, rolled=rolled, bodies=parts, working=working, problem=problem, answer=answer
    )


def _generous(graph: Graph, level: Level) -> WorkingSet:
    """The working set of a level before it is known what runs where."""
    names = _linear_weights(graph)
    rests = cluster_matrices(graph, {}, names)
    return working_set(graph, level, rests, matrix_biases(graph), page_ring(rests))


def _linear_weights(graph: Graph) -> list[str]:
    return [op.weight for op in graph.ops if isinstance(op, ops.Linear)]


def _chosen(problem: Problem, answer: Answer) -> dict[str, Option]:
    return {
        item.name: item.options[index]
        for item, index in zip(problem.items, answer.chosen, strict=True)
    }


def _with_engines(graph: Graph, options: Mapping[str, Option]) -> Graph:
    mapped: list[ops.Op] = []
    for op in graph.ops:
        if isinstance(op, ops.Linear) and (option := options[op.weight]).engine_rows:
            assert option.engine is not None, f"{op.weight} has rows on no engine"
            op = replace(op, engine=option.engine.value, engine_rows=option.engine_rows)  # noqa: PLW2901
        mapped.append(op)
    return graph.with_ops(mapped)


def _finish(
    request: Request, draft: _Draft, arenas: Mapping[MemoryId, Sequence[Slot]], level: Level
) -> Plan:
    options = _chosen(draft.problem, draft.answer)
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
