"""Swaps: change the program's answer a little where measuring says that it helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from aretusa_compress.fit.measure import Deviation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aretusa_compress.fit.bank import Bank
    from aretusa_compress.fit.forms import Choice, Form
    from aretusa_compress.fit.goal import Goal
    from aretusa_compress.fit.measure import Reference
    from aretusa_compress.fit.options import FitOptions
    from aretusa_compress.fit.program import Solution
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState

_KEPT: Final = "choices"  # measured models: deviations by choice
Change = tuple[tuple[str, "Form"], ...]
FormLosses = Mapping[str, Mapping["Form", float]]


@dataclass(slots=True, kw_only=True)
class Workbench:
    """The network with the bank's weights of a choice, measured; deviations lie in `state`."""

    model: Model
    bank: Bank
    reference: Reference
    state: StageState

    def measure(self, choice: Choice, dropped: Sequence[int] = ()) -> Deviation:
        """How far the model of a choice is from the original."""
        kept: dict[str, Any] = self.state.read_json(_KEPT) or {}
        key = _key(choice, dropped)
        if key not in kept:
            self.put(choice)
            blocks = [b for b in range(len(self.model.blocks)) if b not in dropped]
            found = self.reference.measure(blocks)
            kept[key] = [found.kl, found.nats]
            self.state.write_json(_KEPT, kept)
        return Deviation(*kept[key])

    @torch.no_grad()
    def put(self, choice: Choice) -> None:
        """Give every matrix the values of its form."""
        for matrix in self.bank.matrices:
            if matrix.name in choice:
                weight = self.bank.weight(matrix, choice[matrix.name])
                self.model.network.get_parameter(f"{matrix.name}.weight").copy_(weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """A choice after the swaps: its measured loss before and after, how many were tried, taken."""

    choice: dict[str, Form]
    before: float
    after: float
    tried: int
    taken: int


def refine(
    bench: Workbench,
    goal: Goal,
    losses: FormLosses,
    solution: Solution,
    *,
    options: FitOptions,
    progress: Progress,
) -> Refined:
    """Measure the most promising changes that keep to the budgets; keep those that help."""
    original = bench.reference.original
    choice, dropped = dict(solution.choice), solution.dropped
    before = best = bench.measure(choice, dropped).loss(options.objective, original)
    seen: set[Change] = set()
    taken = 0
    progress.start("trying swaps", options.swaps)
    for _ in range(options.swaps):
        change = _most_promising(choice, goal, losses, dropped, seen)
        if change is None:
            break
        seen.add(change)
        changed = choice | dict(change)
        loss = bench.measure(changed, dropped).loss(options.objective, original)
        if loss < best:
            choice, best, taken = changed, loss, taken + 1
        progress.advance()
    return Refined(choice=choice, before=before, after=best, tried=len(seen), taken=taken)


def _most_promising(
    choice: Choice,
    goal: Goal,
    losses: FormLosses,
    dropped: Sequence[int],
    seen: set[Change],
) -> Change | None:
    """The change not yet tried that the losses of single matrices speak least against."""
    moves = sorted(_changes(choice, losses), key=lambda move: (move[0], move[1]))
    for _, change in moves:
        if change not in seen and goal.allows({**choice, **dict(change)}, dropped):
            return change
    return None


def _changes(choice: Choice, losses: FormLosses) -> Iterator[tuple[float, Change]]:
    """One matrix wider, alone or with another one narrower, and what that is predicted to add."""
    wider = list(_steps(choice, losses, +1))
    narrower = list(_steps(choice, losses, -1))
    for gain, name, form in wider:
        yield gain, ((name, form),)
        for loss, other, less in narrower:
            if other != name:
                yield gain + loss, ((name, form), (other, less))


def _steps(choice: Choice, losses: FormLosses, direction: int) -> Iterator[tuple[float, str, Form]]:
    """The next form of each matrix in the order of their losses."""
    for name, form in choice.items():
        ordered = _ordered(losses[name])
        place = ordered.index(form) + direction
        if 0 <= place < len(ordered):
            yield losses[name][ordered[place]] - losses[name][form], name, ordered[place]


def _ordered(losses: Mapping[Form, float]) -> list[Form]:
    return sorted(form for form in losses if not form.share) + sorted(
        form for form in losses if form.share
    )


def _key(choice: Choice, dropped: Sequence[int]) -> str:
    forms = ",".join(f"{name}={form.label}" for name, form in sorted(choice.items()))
    return f"{forms};{','.join(map(str, dropped))}"
