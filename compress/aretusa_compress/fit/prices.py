"""Prices: what each form of each matrix adds to the cost of a decoded token, and to the bytes.

Every form is priced in a model whose matrices all have it, so that planner and simulator say what
it costs among its likes. Sums over different forms are an approximation: where a memory is full
and weights move to another one, costs are not linear. The chosen model is priced as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aretusa_compress.fit.budget import Quantity
from aretusa_compress.fit.inventory import configuration, forms_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aretusa_compress.fit.chip import Answer, Chip
    from aretusa_compress.fit.forms import Choice, Form, Matrix


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a model or a part of it: bytes of constants, cycles and microjoules of a decoded token."""

    constant_bytes: int = 0
    cycles: float = 0.0
    uj: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.constant_bytes + other.constant_bytes,
            self.cycles + other.cycles,
            self.uj + other.uj,
        )

    def less(self, other: Cost) -> Cost:
        """The difference."""
        return self + Cost(-other.constant_bytes, -other.cycles, -other.uj)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """`base` is what no choice changes, `of` what a matrix in a form adds, by name and form.

    `blocks` is what a block costs beside its matrices; it goes with the block.
    """

    clock_hz: int
    base: Cost
    of: Mapping[tuple[str, Form], Cost]
    blocks: Mapping[int, Cost]

    def total(self, choice: Choice, dropped: Collection[int] = ()) -> Cost:
        """The sum for a model; `choice` has the matrices that remain."""
        cost = self.base
        for name, form in choice.items():
            cost += self.of[name, form]
        for block, own in self.blocks.items():
            if block not in dropped:
                cost += own
        return cost


def ask_prices(
    chip: Chip, config: dict[str, Any], matrices: Sequence[Matrix], forms: Sequence[Form]
) -> Prices | None:
    """None where no uniform model fits the chip."""
    plain = [form for form in forms if not form.share]
    configs = [configuration(config, matrices, uniform(matrices, f, plain[-1]), ()) for f in forms]
    answers = dict(zip(forms, chip.answers("pricing forms", configs), strict=True))
    usable = {form: answer for form, answer in answers.items() if "shortage" not in answer}
    if not usable:
        return None
    of: dict[tuple[str, Form], Cost] = {}
    for form in forms:
        answer = usable.get(form)
        for matrix in matrices:
            if answer is not None and form in forms_of(matrix, forms):
                of[matrix.name, form] = _of_weight(answer, matrix.name)
    first = next(form for form in usable if not form.share)
    return _prices(usable[first], matrices, of)


def uniform(matrices: Sequence[Matrix], form: Form, table: Form) -> dict[str, Form]:
    """Every matrix in one form; embedding and head are never factored, they take `table`."""
    return {
        matrix.name: table if form.share and matrix.block is None else form for matrix in matrices
    }


def whole(answer: Answer) -> Cost:
    """The cost of a priced model."""
    return Cost(
        sum(answer["constant_bytes"].values()), answer["cycles_per_token"], answer["uj_per_token"]
    )


def value_of(quantity: Quantity, cost: Cost, clock_hz: int, bits: float) -> float:
    """What a budget compares with its limit; `bits` is the mean of a weight."""
    match quantity:
        case Quantity.MRAM:
            return float(cost.constant_bytes)
        case Quantity.TOKENS_PER_S:
            return clock_hz / cost.cycles if cost.cycles > 0 else 0.0
        case Quantity.UJ:
            return cost.uj
        case Quantity.BITS:
            return bits


def mean_bits(matrices: Sequence[Matrix], choice: Choice) -> float:
    """Bits of all codes over the weights of all matrices of the original model."""
    stored = sum(
        choice[matrix.name].stored_bits(matrix.rows, matrix.depth)
        for matrix in matrices
        if matrix.name in choice
    )
    return stored / sum(matrix.rows * matrix.depth for matrix in matrices)


def _of_weight(answer: Answer, name: str) -> Cost:
    """All parts of a matrix: factors have names of their own."""
    own = [op for op in answer["ops"] if _belongs(op["name"], name)]
    size = sum(size for part, size in answer["weight_bytes"].items() if _belongs(part, name))
    return Cost(size, sum(op["cycles"] for op in own), sum(op["uj"] for op in own))


def _belongs(part: str, name: str) -> bool:
    return part == name or part.startswith(f"{name}.")


def _prices(answer: Answer, matrices: Sequence[Matrix], of: dict[tuple[str, Form], Cost]) -> Prices:
    """What is left of a uniform model without its matrices."""
    rest = whole(answer)
    for matrix in matrices:
        rest = rest.less(_of_weight(answer, matrix.name))
    blocks: dict[int, Cost] = {}
    for block in sorted({matrix.block for matrix in matrices if matrix.block is not None}):
        everything = _of_weight(answer, f"model.layers.{block}")
        for matrix in matrices:
            if matrix.block == block:
                everything = everything.less(_of_weight(answer, matrix.name))
        blocks[block] = everything
        rest = rest.less(everything)
    return Prices(clock_hz=answer["clock_hz"], base=rest, of=of, blocks=blocks)
