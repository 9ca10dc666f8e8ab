"""The integer program: one form for each matrix, least loss within all limits, with its bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aretusa_compress.fit.forms import Form

# Losses and costs become whole numbers: so many steps for the largest loss, and for a limit.
_LOSS_STEPS: Final = 10**9
_COST_STEPS: Final = 10**7
_DETERMINISTIC_LIMIT: Final = 5.0  # of the solver's own clock, about seconds
QUICK_LIMIT: Final = 0.2
_GOOD_GAP: Final = 1e-4  # far below what losses are known to


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Sum of the costs of what is chosen <= `most`. Blocks cost what they have beside matrices."""

    most: float
    of: Mapping[tuple[str, Form], float]
    blocks: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`losses` by matrix and form; `blocks` has the matrices of each block that may go.

    `drop_losses` is what the model loses with a block, at most `drop` of which go.
    """

    losses: Mapping[str, Mapping[Form, float]]
    limits: Sequence[Limit]
    blocks: Mapping[int, Sequence[str]] = field(default_factory=dict)
    drop_losses: Mapping[int, float] = field(default_factory=dict)
    drop: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The choice for the matrices that stay, and what the solver has proved about it."""

    choice: dict[str, Form]
    dropped: tuple[int, ...]
    objective: float
    bound: float
    status: str

    @property
    def gap(self) -> float:
        """How far the bound is below the objective, relative to it."""
        return (self.objective - self.bound) / self.objective if self.objective > 0 else 0.0


def solve(program: Program, *, limit: float = _DETERMINISTIC_LIMIT) -> Solution | None:
    """The best choice, None if the limits leave none. Raises ToolchainError E0542 without a proof.

    One worker, a fixed seed, deterministic time: equal programs get equal answers.
    """
    return _Model(program).solve(limit)


def least_cost(program: Program, limit: Limit) -> float:
    """What the cheapest choice costs under one limit alone; blocks that may go, go."""
    total = 0.0
    gains: list[float] = []
    for block, own in limit.blocks.items():
        total += own
        if block in program.drop_losses:
            matrices = program.blocks[block]
            gains.append(own + sum(_least(program, limit, name) for name in matrices))
    total += sum(_least(program, limit, name) for name in program.losses)
    return total - sum(sorted(gains, reverse=True)[: program.drop])


def _least(program: Program, limit: Limit, name: str) -> float:
    return min(limit.of[name, form] for form in program.losses[name])


class _Model:
    def __init__(self, program: Program) -> None:
        from ortools.sat.python import cp_model  # noqa: PLC0415 - slow to load

        self.cp, self.program = cp_model, program
        self.model = cp_model.CpModel()
        self.takes = {
            (name, form): self.model.new_bool_var("")
            for name, losses in program.losses.items()
            for form in losses
        }
        self.drops = {block: self.model.new_bool_var("") for block in program.drop_losses}
        self.model.add(sum(self.drops.values()) <= program.drop)
        owners = {name: block for block, names in program.blocks.items() for name in names}
        for name, losses in program.losses.items():
            taken = sum(self.takes[name, form] for form in losses)
            gone = self.drops.get(owners.get(name, -1))
            self.model.add(taken == (1 if gone is None else 1 - gone))
        for limit in program.limits:
            self._limit(limit)
        self.step = self._objective()

    def _limit(self, limit: Limit) -> None:
        """Costs are rounded up and the limit down: a choice within the program is within both."""
        scale = _COST_STEPS / max(abs(limit.most), 1e-30)
        total: Any = sum(_up(limit.of[key] * scale) * take for key, take in self.takes.items())
        for block, cost in limit.blocks.items():
            gone = self.drops.get(block)
            total += _up(cost * scale) * (1 if gone is None else 1 - gone)
        self.model.add(total <= int(limit.most * scale // 1))

    def _objective(self) -> float:
        losses = [loss for one in self.program.losses.values() for loss in one.values()]
        losses += self.program.drop_losses.values()
        largest = max([abs(loss) for loss in losses] + [1e-30])
        step = largest / _LOSS_STEPS
        parts = [
            round(self.program.losses[name][form] / step) * take
            for (name, form), take in self.takes.items()
        ]
        parts += [
            round(loss / step) * self.drops[b] for b, loss in self.program.drop_losses.items()
        ]
        self.model.minimize(sum(parts))
        return step

    def solve(self, limit: float) -> Solution | None:
        solver = self.cp.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 1
        solver.parameters.max_deterministic_time = limit
        solver.parameters.relative_gap_limit = _GOOD_GAP
        status = solver.solve(self.model)
        if status == self.cp.INFEASIBLE:
            return None
        if status not in {self.cp.OPTIMAL, self.cp.FEASIBLE}:
            raise ToolchainError(
                "E0542",
                "the solver found neither a choice nor that there is none in the time it has",
                fix="Offer fewer widths, or one budget less",
            )
        choice = {name: form for (name, form), take in self.takes.items() if solver.value(take)}
        dropped = tuple(block for block, gone in self.drops.items() if solver.value(gone))
        objective = solver.objective_value * self.step
        return Solution(
            choice=choice,
            dropped=dropped,
            objective=objective,
            bound=min(objective, solver.best_objective_bound * self.step),
            status="optimal" if status == self.cp.OPTIMAL else "feasible",
        )


def _up(value: float) -> int:
    return -int(-value // 1)
