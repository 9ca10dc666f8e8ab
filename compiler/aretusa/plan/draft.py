"""Draft: engines and homes for one working set, before the buffers of a step have places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.body import bodies
from aretusa.memory.contents import matrix_biases
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.memory.working_set import NO_PAGES
from aretusa.plan.linear_options import Setting
from aretusa.plan.problem import build_problem
from aretusa.plan.shortage import no_home
from aretusa.plan.working import cluster_matrices, page_ring, working_set
from aretusa.schedule.roll import roll

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aretusa.ir.graph import Graph
    from aretusa.memory.body import Body
    from aretusa.memory.working_set import WorkingSet
    from aretusa.plan.choice import Answer, Option, Problem
    from aretusa.plan.make import Request
    from aretusa.plan.working import Level
    from aretusa.schedule.roll import RolledGraph
    from aretusa.target.description import MemoryId

    Decide = Callable[[Problem], Answer | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Engines and homes, before the buffers have places."""

    graph: Graph
    rolled: RolledGraph
    bodies: tuple[Body, ...]
    working: WorkingSet
    problem: Problem
    answer: Answer


def draft_plan(
    request: Request,
    graph: Graph,
    level: Level,
    spilled: Mapping[MemoryId, int],
    decide: Decide,
) -> Draft | None:
    """Decide engines and homes; None where spilled buffers leave too little room for the rest."""
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
    options = chosen_options(problem, answer)
    mapped = _with_engines(graph, options)
    is_unsigned = not request.target.has_signed_input
    pieces = engine_pieces(mapped, is_unsigned=is_unsigned)
    rests = cluster_matrices(mapped, pieces, _linear_weights(mapped))
    is_paged = any(option.is_paged for option in options.values())
    pages = working.pages if is_paged else NO_PAGES
    working = working_set(mapped, level, rests, matrix_biases(mapped), pages)
    rolled = roll(mapped)
    parts = tuple(bodies(mapped, rolled, working, is_unsigned=is_unsigned))
    return Draft(
        graph=mapped, rolled=rolled, bodies=parts, working=working, problem=problem, answer=answer
    )


def _generous(graph: Graph, level: Level) -> WorkingSet:
    """The working set of a level before it is known what runs where."""
    names = _linear_weights(graph)
    rests = cluster_matrices(graph, {}, names)
    return working_set(graph, level, rests, matrix_biases(graph), page_ring(rests))


def _linear_weights(graph: Graph) -> list[str]:
    return [op.weight for op in graph.ops if isinstance(op, ops.Linear)]


def chosen_options(problem: Problem, answer: Answer) -> dict[str, Option]:
    """The option of each item by its name."""
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
    weights = tuple(
        replace(weight, type=replace(weight.type, is_packed=True))
        if isinstance(weight.type, DenseType) and options[weight.name].is_packed
        else weight
        for weight in graph.weights
    )
    return replace(graph, ops=tuple(mapped), weights=weights)
