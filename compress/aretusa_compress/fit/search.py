"""Search: sensitivities and prices -> the program's choice -> swaps that measuring confirms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.fit.budget import Budget, Quantity
from aretusa_compress.fit.inventory import configuration
from aretusa_compress.fit.prices import ask_prices, mean_bits, uniform, value_of, whole
from aretusa_compress.fit.program import QUICK_LIMIT, solve
from aretusa_compress.fit.swaps import refine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aretusa_compress.fit.chip import Answer, Chip
    from aretusa_compress.fit.forms import Choice, Form, Matrix
    from aretusa_compress.fit.goal import Goal
    from aretusa_compress.fit.losses import Losses
    from aretusa_compress.fit.options import FitOptions
    from aretusa_compress.fit.program import Solution
    from aretusa_compress.fit.swaps import Refined, Workbench
    from aretusa_compress.run.progress import Progress

_CORRECTIONS: Final = 6  # of limits by what the whole model was simulated to cost
# Each goes a little further than the last miss, which is otherwise approached for ever.
_FURTHER: Final = 1.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The choice, how it was found, and what it costs: by prices, and priced as a whole."""

    solution: Solution
    refined: Refined
    predicted: dict[Quantity, float]
    simulated: dict[Quantity, float] | None
    corrections: int
    missed: dict[Quantity, float]  # simulated value over limit, of budgets that are not met


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Everything that a search needs. `drop_losses` is empty where no block may go."""

    config: dict[str, Any]
    matrices: Sequence[Matrix]
    goal: Goal
    losses: Losses
    drop_losses: Mapping[int, float]
    chip: Chip
    bench: Workbench
    options: FitOptions
    progress: Progress

    def find(self) -> Found:
        """The best choice. Raises UsageError E0540 where the budgets leave none."""
        goal = self.goal
        for corrections in range(_CORRECTIONS + 1):
            solution, refined = self._within(goal)
            simulated = self._simulated(refined.choice, solution.dropped)
            excess = self._excess(simulated)
            if not excess or corrections == _CORRECTIONS:
                break
            goal = replace(goal, budgets=_tightened(goal.budgets, excess))
        return Found(
            solution=solution,
            refined=refined,
            predicted=self.goal.values(refined.choice, solution.dropped),
            simulated=simulated,
            corrections=corrections,
            missed=excess,
        )

    def _within(self, goal: Goal) -> tuple[Solution, Refined]:
        program = goal.program(self.losses, self.drop_losses, self.options.drop)
        goal.check(program)
        solution = solve(program)
        if solution is None:
            raise goal.together()
        refined = refine(
            self.bench,
            goal,
            program.losses,
            solution,
            options=self.options,
            progress=self.progress,
        )
        return solution, refined

    def _simulated(self, choice: Choice, dropped: Sequence[int]) -> dict[Quantity, float] | None:
        """What the model costs as a whole, None where it does not fit the chip at all."""
        config = configuration(self.config, self.matrices, choice, dropped)
        (answer,) = self.chip.answers("simulating the choice", [config])
        return simulated(answer, mean_bits(self.matrices, choice))

    def _excess(self, values: dict[Quantity, float] | None) -> dict[Quantity, float]:
        """By how much, as a factor, the whole model misses budgets."""
        if values is None:
            return {}
        return {
            budget.quantity: values[budget.quantity] / budget.limit
            for budget in self.goal.budgets
            if not budget.allows(values[budget.quantity])
        }

    def front(self) -> list[tuple[str, dict[str, Form], tuple[int, ...]]]:
        """Uniform models, and best choices between the cheapest and the dearest of them."""
        plain = [form for form in self.options.forms if not form.share]
        points: list[tuple[str, dict[str, Form], tuple[int, ...]]] = [
            (f"all {form.label}", uniform(self.matrices, form, plain[-1]), ()) for form in plain
        ]
        low = mean_bits(self.matrices, points[0][1])
        high = mean_bits(self.matrices, points[-1][1])
        for step in range(1, self.options.front + 1):
            budget = Budget(Quantity.BITS, low + (high - low) * step / (self.options.front + 1))
            losses, drops = self.losses, self.drop_losses
            program = self.goal.program(losses, drops, self.options.drop, [budget])
            solution = solve(program, limit=QUICK_LIMIT)
            if solution is not None:
                points.append(
                    (f"search, {budget.limit:.2f} bits", solution.choice, solution.dropped)
                )
        return points


def simulated(answer: Answer, bits: float) -> dict[Quantity, float] | None:
    """Values of all quantities of a model that was priced as a whole."""
    if "shortage" in answer:
        return None
    cost = whole(answer)
    return {one: value_of(one, cost, answer["clock_hz"], bits) for one in Quantity}


def prices_for(goal: Goal, chip: Chip, config: dict[str, Any], options: FitOptions) -> Goal:
    """The goal with prices; the chip is asked only if it matters."""
    if not any(budget.quantity.needs_chip for budget in goal.budgets) and not options.front:
        return goal
    return replace(goal, prices=ask_prices(chip, config, goal.matrices, options.forms))


def _tightened(budgets: Sequence[Budget], excess: Mapping[Quantity, float]) -> tuple[Budget, ...]:
    """Limits moved by what the sum of prices was wrong by."""
    return tuple(
        replace(budget, limit=budget.limit / excess[budget.quantity] * _further(budget))
        if budget.quantity in excess
        else budget
        for budget in budgets
    )


def _further(budget: Budget) -> float:
    return _FURTHER if budget.quantity.is_least else 1 / _FURTHER
