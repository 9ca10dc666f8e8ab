"""Goal: the budgets as limits of the program, and what a user is told when none can be met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa_compress.errors import UsageError
from aretusa_compress.fit.budget import Budget, Quantity
from aretusa_compress.fit.prices import mean_bits, value_of
from aretusa_compress.fit.program import Limit, Program, least_cost

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aretusa_compress.fit.forms import Choice, Form, Matrix
    from aretusa_compress.fit.losses import Losses
    from aretusa_compress.fit.prices import Prices

_MARGIN: Final = 1.001  # of budgets that are proposed


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What limits are made of. `prices` None: the chip was not asked, or nothing fits it."""

    budgets: Sequence[Budget]
    matrices: Sequence[Matrix]
    prices: Prices | None

    def program(
        self,
        losses: Losses,
        drop_losses: Mapping[int, float],
        drop: int,
        budgets: Sequence[Budget] | None = None,
    ) -> Program:
        """The program for the goal's budgets, or for other ones."""
        blocks: dict[int, list[str]] = {}
        for matrix in self.matrices:
            if matrix.block is not None:
                blocks.setdefault(matrix.block, []).append(matrix.name)
        offered = {
            name: {form: loss for form, loss in one.items() if self._has_price(name, form)}
            for name, one in losses.items()
        }
        return Program(
            losses=offered,
            limits=[self.limit(budget) for budget in budgets or self.budgets],
            blocks=blocks,
            drop_losses=drop_losses if drop else {},
            drop=drop,
        )

    def limit(self, budget: Budget) -> Limit:
        """A budget as a sum that must not exceed a number."""
        if budget.quantity is Quantity.BITS:
            weights = sum(matrix.rows * matrix.depth for matrix in self.matrices)
            return Limit(most=budget.limit * weights, of=_Bits(self.matrices))
        assert self.prices is not None, "only bits are known without the chip"
        base = self.prices.base
        of, blocks = self.prices.of, self.prices.blocks
        match budget.quantity:
            case Quantity.MRAM:
                return Limit(
                    most=budget.limit - base.constant_bytes,
                    of={key: float(cost.constant_bytes) for key, cost in of.items()},
                    blocks={block: float(cost.constant_bytes) for block, cost in blocks.items()},
                )
            case Quantity.TOKENS_PER_S:
                return Limit(
                    most=self.prices.clock_hz / budget.limit - base.cycles,
                    of={key: cost.cycles for key, cost in of.items()},
                    blocks={block: cost.cycles for block, cost in blocks.items()},
                )
            case Quantity.UJ:
                return Limit(
                    most=budget.limit - base.uj,
                    of={key: cost.uj for key, cost in of.items()},
                    blocks={block: cost.uj for block, cost in blocks.items()},
                )

    def values(self, choice: Choice, dropped: Collection[int] = ()) -> dict[Quantity, float]:
        """What a choice costs by the sum of prices, in the units of budgets."""
        bits = mean_bits(self.matrices, choice)
        if self.prices is None:
            return {Quantity.BITS: bits}
        cost = self.prices.total(choice, dropped)
        return {one: value_of(one, cost, self.prices.clock_hz, bits) for one in Quantity}

    def allows(self, choice: Choice, dropped: Collection[int] = ()) -> bool:
        """Whether a choice is within all budgets, by the sum of prices."""
        values = self.values(choice, dropped)
        return all(budget.allows(values[budget.quantity]) for budget in self.budgets)

    def check(self, program: Program) -> None:
        """Raise UsageError E0540 for a budget that not even the cheapest choice meets."""
        for budget in self.budgets:
            limit = self.limit(budget)
            least = least_cost(program, limit)
            if least > limit.most:
                raise _infeasible(budget, self._best(budget, least, limit))

    def together(self) -> UsageError:
        """The error for budgets that can be met one by one but not at once."""
        texts = ", ".join(budget.text for budget in self.budgets)
        return UsageError(
            "E0540",
            f"no choice of widths meets {texts} together",
            why="each alone can be met",
            fix="Relax one of them, or offer more with widths, shares and drop",
        )

    def _best(self, budget: Budget, least: float, limit: Limit) -> float:
        """The best value of the quantity that any choice has."""
        missing = least - limit.most
        match budget.quantity:
            case Quantity.BITS:
                return least / sum(matrix.rows * matrix.depth for matrix in self.matrices)
            case Quantity.TOKENS_PER_S:
                assert self.prices is not None
                hertz = self.prices.clock_hz
                return hertz / (hertz / budget.limit + missing)
            case Quantity.MRAM | Quantity.UJ:
                return budget.limit + missing

    def _has_price(self, name: str, form: Form) -> bool:
        needs = any(budget.quantity.needs_chip for budget in self.budgets)
        return not needs or (self.prices is not None and (name, form) in self.prices.of)


class _Bits(dict[tuple[str, "Form"], float]):
    """Stored bits by name and form, worked out when asked for."""

    def __init__(self, matrices: Sequence[Matrix]) -> None:
        super().__init__()
        self._by_name = {matrix.name: matrix for matrix in matrices}

    def __missing__(self, key: tuple[str, Form]) -> float:
        matrix = self._by_name[key[0]]
        found = self[key] = float(key[1].stored_bits(matrix.rows, matrix.depth))
        return found


def _infeasible(budget: Budget, best: float) -> UsageError:
    unit = {Quantity.MRAM: " bytes", Quantity.UJ: " uJ", Quantity.BITS: " bits"}
    name = unit.get(budget.quantity, " tokens/s")
    digits = ",.0f" if budget.quantity is Quantity.MRAM else ",.4g"
    short = abs(best - budget.limit)
    return UsageError(
        "E0540",
        f"no choice of widths meets {budget.text}",
        why=f"the nearest is {best:{digits}}{name}, {short:{digits}} away",
        fix=f"Give --budget '{_nearest(budget, best)}', or offer narrower widths, shares or drop",
    )


def _nearest(budget: Budget, best: float) -> str:
    """A budget that can be met for sure: prices are rounded up in the program."""
    if budget.quantity is Quantity.MRAM:
        return f"mram={-int(-best * _MARGIN // 1)}B"
    if budget.quantity.is_least:
        return f"{budget.quantity}>={best / _MARGIN:.4g}"
    return f"{budget.quantity}<={best * _MARGIN:.4g}"
