"""What the model loses with one matrix in another form: measured, or scaled from what was."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from aretusa_compress.fit.forms import Form
from aretusa_compress.fit.inventory import forms_of
from aretusa_compress.fit.measure import Deviation
from aretusa_compress.fit.proxy import gradients_of, probed_blocks, proxied

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from aretusa_compress.fit.forms import Matrix
    from aretusa_compress.fit.options import FitOptions
    from aretusa_compress.fit.swaps import Workbench
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState

_KEPT = "deviations"
_GRADIENTS = 4  # windows whose gradients are taken
Losses = dict[str, dict[Form, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivities:
    """Measures one change at a time; what is done lies in `state`."""

    bench: Workbench
    options: FitOptions
    state: StageState
    progress: Progress

    def measured(self) -> dict[str, dict[str, Deviation]]:
        """Deviations by matrix and label of the form."""
        kept: dict[str, dict[str, dict[str, float]]] = self.state.read_json(_KEPT) or {}
        probed = probed_blocks(len(self.bench.model.blocks), self.options.probes)
        chosen = [m for m in self.bench.bank.matrices if m.block is None or m.block in probed]
        self.progress.start("measuring one matrix at a time", len(chosen))
        for matrix in chosen:
            done = kept.setdefault(matrix.name, {})
            forms = forms_of(matrix, self.options.measured_forms)
            missing = [form for form in forms if form.label not in done]
            for form in missing:
                done[form.label] = asdict(self._one(matrix, form))
            if missing:
                self.state.write_json(_KEPT, kept)
            self.progress.advance()
        return {
            name: {label: Deviation(**value) for label, value in forms.items()}
            for name, forms in kept.items()
        }

    def drop_losses(self) -> dict[int, float]:
        """What the model loses without each of its blocks, one at a time."""
        kept: dict[str, dict[str, float]] = self.state.read_json(f"{_KEPT}-blocks") or {}
        count = len(self.bench.model.blocks)
        self.progress.start("measuring without one block", count)
        for block in range(count):
            if str(block) not in kept:
                others = [place for place in range(count) if place != block]
                kept[str(block)] = asdict(self.bench.reference.measure(others, start=max(block, 0)))
                self.state.write_json(f"{_KEPT}-blocks", kept)
            self.progress.advance()
        original = self.bench.reference.original
        return {
            int(block): Deviation(**value).loss(self.options.objective, original)
            for block, value in kept.items()
        }

    def losses(self) -> Losses:
        """The objective's loss of every form; more bits never count as worse than fewer."""
        original = self.bench.reference.original
        measured = self.measured()
        known: Losses = {
            name: {
                Form.labelled(label): one.loss(self.options.objective, original)
                for label, one in forms.items()
            }
            for name, forms in measured.items()
        }
        bank = self.bench.bank
        rest = [matrix for matrix in bank.matrices if matrix.name not in known]
        found = {m.name: dict(self._each(m, known[m.name])) for m in bank.matrices if m not in rest}
        if rest:
            gradients = gradients_of(bank, bank.windows[:_GRADIENTS], self.state, self.progress)
            found |= proxied(bank, rest, gradients, known, self.options.forms)
        return {matrix.name: _monotonic(found[matrix.name]) for matrix in bank.matrices}

    def _each(self, matrix: Matrix, known: Mapping[Form, float]) -> Iterator[tuple[Form, float]]:
        """A width that was not measured loses as the nearest one, by the error of the outputs."""
        for form in forms_of(matrix, self.options.forms):
            if form in known:
                yield form, known[form]
                continue
            nearest = min(
                (one for one in known if not one.share), key=lambda one: abs(one.bits - form.bits)
            )
            errors = [self.bench.bank.plain_error(matrix, one) for one in (form, nearest)]
            ratio = errors[0] / max(errors[1], 1e-300)
            yield form, known[nearest] * ratio

    def _one(self, matrix: Matrix, form: Form) -> Deviation:
        with swapped(self.bench.model, matrix, self.bench.bank.weight(matrix, form)):
            start = 0 if matrix.block is None else matrix.block
            if matrix.name == "lm_head":
                start = len(self.bench.model.blocks)
            return self.bench.reference.measure(start=start)


def _monotonic(losses: dict[Form, float]) -> dict[Form, float]:
    """Widths in falling order lose at least as much as the wider ones before them."""
    floor = -float("inf")
    for form in sorted((one for one in losses if not one.share), reverse=True):
        floor = losses[form] = max(losses[form], floor)
    return losses


class swapped:  # noqa: N801 - used as a function
    """While it is entered the matrix has other values."""

    def __init__(self, model: Model, matrix: Matrix, values: Tensor) -> None:
        self._parameter = model.network.get_parameter(f"{matrix.name}.weight")
        self._values = values

    def __enter__(self) -> None:
        self._own = self._parameter.detach().clone()
        with torch.no_grad():
            self._parameter.copy_(self._values)

    def __exit__(self, *_: object) -> None:
        with torch.no_grad():
            self._parameter.copy_(self._own)
