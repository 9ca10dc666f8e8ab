"""solve(): the cheapest choice by CP-SAT, with the bound that it proves.

One worker, a fixed seed and a limit in deterministic time: equal problems get equal answers on any
machine. OR-tools is loaded only when the first answer is not already the best.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aretusa.errors import SolverError
from aretusa.plan.choice import Answer
from aretusa.plan.classes import item_classes, spread
from aretusa.plan.greedy import first_fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.plan.choice import Problem
    from aretusa.plan.classes import ItemClass

DETERMINISTIC_LIMIT: Final = 20.0  # of the solver's own clock, about seconds
QUICK_LIMIT: Final = 0.1
GOOD_GAP: Final = 0.001  # a proof this close is good enough


def first_answer(problem: Problem) -> Answer | None:
    """A good choice soon, to compare problems by; as `solve` where first fit finds none."""
    return solve(problem, limit=QUICK_LIMIT)


def solve(problem: Problem, *, limit: float = DETERMINISTIC_LIMIT) -> Answer | None:
    """The best choice, or None if there is none.

    What first fit found is the answer if the limit came before a better one; if first fit found
    nothing there is more time, and then a SolverError.
    """
    known = _first_fit_answer(problem)
    if known is not None and known.gap <= GOOD_GAP:
        return known
    if known is None:
        return _from_nothing(problem, limit)
    try:
        found = _Model(problem).solve(known.chosen, limit)
    except SolverError:
        return known
    assert found is not None, "the solver excludes what first fit found"
    better = found if found.objective_cycles <= known.objective_cycles else known
    return replace(better, first_fit_cycles=known.objective_cycles)


def _from_nothing(problem: Problem, limit: float) -> Answer | None:
    """An answer within the limit, or as late as it may come."""
    if limit < DETERMINISTIC_LIMIT:
        with suppress(SolverError):
            return _Model(problem).solve(None, limit)
    return _Model(problem).solve(None, DETERMINISTIC_LIMIT)


def _first_fit_answer(problem: Problem) -> Answer | None:
    """What first fit finds, at once."""
    chosen = first_fit(problem)
    if chosen is None:
        return None
    cycles = problem.load(chosen).cycles
    bound = min(cycles, _least_cycles(problem))
    return Answer(
        chosen=chosen,
        objective_cycles=cycles,
        bound_cycles=bound,
        status=_status(cycles, bound),
        first_fit_cycles=cycles,
    )


def _least_cycles(problem: Problem) -> int:
    """Every item at its best, as if memories had no end: no choice can cost less."""
    work = problem.fixed.prefill_work + problem.fixed.decode_work
    return work + sum(
        min(option.load.prefill_work + option.load.decode_work for option in item.options)
        for item in problem.items
    )


def _status(objective: int, bound: int) -> str:
    return "optimal" if objective == bound else "feasible"


class _Model:
    """The integer program: how many members of each class take each option."""

    def __init__(self, problem: Problem) -> None:
        from ortools.sat.python import cp_model  # noqa: PLC0415 - slow to load, often not needed

        self.problem = problem
        self.cp = cp_model
        self.model = cp_model.CpModel()
        self.classes = item_classes(problem)
        self.counts = [
            [self.model.new_int_var(0, len(c.members), "") for _ in c.options] for c in self.classes
        ]
        self.paged = self.model.new_bool_var("paged")
        for item_class, row in zip(self.classes, self.counts, strict=True):
            self.model.add(sum(row) == len(item_class.members))
            self._one_engine(item_class, row)
        self._capacities()
        self._objective()

    def _one_engine(self, item_class: ItemClass, row: Sequence[Any]) -> None:
        """All members run on one engine, so that the program stays one loop over layers."""
        engines = sorted({str(option.engine) for option in item_class.options})
        if len(engines) == 1:
            return
        uses = {engine: self.model.new_bool_var("") for engine in engines}
        self.model.add_exactly_one(uses.values())
        for option, count in zip(item_class.options, row, strict=True):
            self.model.add(count <= len(item_class.members) * uses[str(option.engine)])

    def _capacities(self) -> None:
        ring_memory, ring_bytes = self.problem.page_ring
        for memory, free in self.problem.free_bytes.items():
            taken = [
                size * count
                for item_class, row in zip(self.classes, self.counts, strict=True)
                for option, count in zip(item_class.options, row, strict=True)
                for place, size in option.usage
                if place is memory
            ]
            ring = ring_bytes * self.paged if memory is ring_memory else 0
            self.model.add(sum(taken) + ring <= max(0, free))
        for item_class, row in zip(self.classes, self.counts, strict=True):
            for option, count in zip(item_class.options, row, strict=True):
                if option.is_paged:
                    self.model.add(count <= len(item_class.members) * self.paged)

    def _objective(self) -> None:
        fixed = self.problem.fixed
        limit = 1 << 60
        self.prefill = self.model.new_int_var(0, limit, "prefill")
        self.decode = self.model.new_int_var(0, limit, "decode")
        self.model.add(self.prefill >= self._total("prefill_work") + fixed.prefill_work)
        self.model.add(self.prefill >= self._total("prefill_link") + fixed.prefill_link)
        self.model.add(self.decode >= self._total("decode_work") + fixed.decode_work)
        self.model.add(self.decode >= self._total("decode_link") + fixed.decode_link)
        self.model.minimize(self.prefill + self.decode)

    def _total(self, part: str) -> Any:  # noqa: ANN401 - a linear expression of the solver
        return sum(
            getattr(option.load, part) * count
            for item_class, row in zip(self.classes, self.counts, strict=True)
            for option, count in zip(item_class.options, row, strict=True)
        )

    def solve(self, hint: Sequence[int] | None, limit: float) -> Answer | None:
        solver = self.cp.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 1
        solver.parameters.max_deterministic_time = limit
        solver.parameters.relative_gap_limit = GOOD_GAP
        if hint is not None:
            self._hint(hint)
        status = solver.solve(self.model)
        if status == self.cp.INFEASIBLE:
            return None
        if status not in {self.cp.OPTIMAL, self.cp.FEASIBLE}:
            raise SolverError(
                "E0409",
                "the placement was neither found nor excluded in the time that it has",
                fix="Report it with the model's config.json: the limit is the tool's, not yours",
            )
        counts = [[solver.value(count) for count in row] for row in self.counts]
        chosen = spread(self.problem, self.classes, counts)
        objective = self.problem.load(chosen).cycles
        bound = min(objective, int(solver.best_objective_bound))
        return Answer(
            chosen=chosen,
            objective_cycles=objective,
            bound_cycles=bound,
            status=_status(objective, bound),
        )

    def _hint(self, chosen: Sequence[int]) -> None:
        for item_class, row in zip(self.classes, self.counts, strict=True):
            taken = [chosen[member] for member in item_class.members]
            for option, count in enumerate(row):
                self.model.add_hint(count, taken.count(option))
