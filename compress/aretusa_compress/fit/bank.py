"""Bank: every matrix in every form, rounded for the inputs that the unchanged model gives it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from aretusa_compress.fit.inventory import EMBEDDING, HEAD, forms_of, is_tied
from aretusa_compress.fit.rounding import no_factor
from aretusa_compress.fit.tables import table_moment
from aretusa_compress.model.blocks import enter, windows_on
from aretusa_compress.model.layer_inputs import after_block, watched
from aretusa_compress.model.load import OWN_KEY
from aretusa_compress.recipe.matrices import READERS
from aretusa_compress.solvers.gptq import GptqOptions, NotPositiveDefiniteError, quantise
from aretusa_compress.solvers.grid import Codes, round_to_grid, weighted_scales
from aretusa_compress.solvers.moments import Moments
from aretusa_compress.svd.decompositions import Seen, decomposed, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa_compress.fit.forms import Form, Matrix
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState

_READS: Final = {name: names[0] for names in READERS for name in names}
_SAMPLE: Final = 8  # one row of so many tells how errors of a matrix fall with its width
_BINARY64: Final = torch.float64


@dataclass(slots=True, kw_only=True)
class Bank:
    """Second moments are gathered once; a block is rounded in a form when that is asked for.

    Tensors lie in `state`, those of one block in memory too. Make it while the model holds its own
    weights, of which it keeps a copy.
    """

    model: Model
    matrices: Sequence[Matrix]
    forms: Sequence[Form]
    windows: Tensor  # ids [count, length]
    solver: GptqOptions  # its bits do not matter
    state: StageState
    progress: Progress
    _own: dict[str, Tensor] = field(init=False)
    _errors: dict[tuple[str, Form], float] = field(default_factory=dict)
    _held: tuple[int | None, dict[str, dict[str, Tensor]]] = field(default=(None, {}))

    def __post_init__(self) -> None:
        self._own = {
            matrix.name: self._parameter(matrix).detach().cpu().clone() for matrix in self.matrices
        }

    def fill(self) -> None:
        """Gather the second moments of what every matrix reads."""
        blocks = self.model.blocks
        self.progress.start("watching inputs", len(blocks) + 1)
        if self.state.read_tensors("moments") is not None:
            self.progress.advance(len(blocks) + 1)
            return
        with torch.no_grad():
            entries = [enter(self.model, ids) for ids in windows_on(self.model, self.windows)]
        hidden = [entry.hidden for entry in entries]
        for index, block in enumerate(blocks):
            arguments = [entry.arguments[index] for entry in entries]
            hidden = self._watched(index, block, hidden, arguments)
            self.progress.advance()
        self.state.write_tensors("moments", {"head": table_moment(self.model, hidden)})
        self.progress.advance()

    def _watched(
        self, index: int, block: nn.Module, hidden: list[Tensor], arguments: list[dict[str, Any]]
    ) -> list[Tensor]:
        """Hidden states behind a block, whose second moments are kept on the way."""
        if self.state.read_tensors(f"moments-{index}") is not None:
            return after_block(block, hidden, arguments)
        firsts = sorted(set(_READS.values()))
        found = {name: Moments(depth=int(block.get_submodule(name).in_features)) for name in firsts}
        with watched(block, firsts, lambda name, inputs: found[name].add(inputs)):
            hidden = after_block(block, hidden, arguments)
        means = {name: moments.mean.float() for name, moments in found.items()}
        self.state.write_tensors(f"moments-{index}", means)
        return hidden

    def weight(self, matrix: Matrix, form: Form) -> Tensor:
        """The values of a matrix in a form, float32 [rows, depth]."""
        if form.share:
            inner, outer = self.factors(matrix, form)
            return outer.dequantise() @ inner.dequantise()
        return self.codes(matrix, form).dequantise()

    def factors(self, matrix: Matrix, form: Form) -> tuple[Codes, Codes]:
        """Codes of low_rank_in and low_rank_out."""
        tensors = self._rounded(matrix.block, form)
        return _codes(tensors, f"{matrix.name}/in", form), _codes(
            tensors, f"{matrix.name}/out", form
        )

    def codes(self, matrix: Matrix, form: Form) -> Codes:
        """Codes of a matrix without factors."""
        return _codes(self._rounded(matrix.block, form), matrix.name, form)

    def plain_error(self, matrix: Matrix, form: Form) -> float:
        """Mean squared error of all outputs of a matrix in a width, estimated from some rows.

        They are rounded plainly at the best clip: error feedback takes off about the same share of
        the error at every width, so that ratios of these errors tell how it falls.
        """
        key = (matrix.name, form)
        if key not in self._errors:
            moment = self._moment(matrix)
            rows = self._own[matrix.name][::_SAMPLE].to(_BINARY64)
            power = torch.ones(matrix.depth) if moment is None else moment.diagonal()
            error = _clipped_error(rows, power.to(_BINARY64), form.bits)
            self._errors[key] = error * matrix.rows / len(rows)
        return self._errors[key]

    def _rounded(self, block: int | None, form: Form) -> dict[str, Tensor]:
        """Tensors of all matrices of a block, or of the tables, in a form."""
        if self._held[0] != block:
            self._held = (block, {})
        held = self._held[1]
        if form.label not in held:
            file = f"{'tables' if block is None else block}-{form.label}"
            tensors = self.state.read_tensors(file)
            if tensors is None:
                tensors = self._round(block, form)
                self.state.write_tensors(file, tensors)
            held[form.label] = tensors
        return held[form.label]

    def _round(self, block: int | None, form: Form) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for matrix in self.matrices:
            if matrix.block == block and form in forms_of(matrix, self.forms):
                tensors |= self._round_one(matrix, form)
        return tensors

    def _round_one(self, matrix: Matrix, form: Form) -> dict[str, Tensor]:
        weight, moment = self._own[matrix.name], self._moment(matrix)
        patterns = (self.model.config.get(OWN_KEY) or {}).get("sparsity", {})
        kept = (weight != 0) if matrix.name in patterns else None
        if moment is None:  # rows are only looked up: all values count alike
            found = rounded(weight, torch.ones(matrix.depth), form.bits)
            return _tensors(matrix.name, found)
        try:
            if form.share:
                return _factored(matrix, weight, moment, form)
            found = quantise(weight, moment, replace(self.solver, bits=form.bits), kept=kept)
        except NotPositiveDefiniteError as problem:
            raise no_factor(matrix.name) from problem
        return _tensors(matrix.name, found)

    def _moment(self, matrix: Matrix) -> Tensor | None:
        """E[x x^T] of what a matrix reads; None for a table of which rows are only looked up."""
        if matrix.block is None:
            is_read = matrix.name == HEAD or (matrix.name == EMBEDDING and is_tied(self.model))
            return self._tensor("moments", "head") if is_read else None
        return self._tensor(f"moments-{matrix.block}", _READS[matrix.role])

    def _tensor(self, file: str, name: str) -> Tensor:
        tensors = self.state.read_tensors(file)
        assert tensors is not None, "the bank is filled first"
        return tensors[name].to(_BINARY64)

    def _parameter(self, matrix: Matrix) -> Tensor:
        found: Tensor = self.model.network.get_parameter(f"{matrix.name}.weight")
        return found


def _factored(matrix: Matrix, weight: Tensor, moment: Tensor, form: Form) -> dict[str, Tensor]:
    rank = form.rank(matrix.rows, matrix.depth)
    parts = decomposed(weight.double(), Seen(moment, None), form.bits)
    inner = Codes(codes=parts["codes"][:rank], scales=parts["scales"][:rank], bits=form.bits)
    outer = rounded(parts["outer"][:, :rank], parts["values"][:rank], form.bits)
    return _tensors(f"{matrix.name}/in", inner) | _tensors(f"{matrix.name}/out", outer)


def _clipped_error(rows: Tensor, power: Tensor, bits: int) -> float:
    scales = weighted_scales(rows, power, bits)
    error = round_to_grid(rows, scales, bits) * scales[:, None] - rows
    return float((error.square() @ power).sum())


def _tensors(place: str, codes: Codes) -> dict[str, Tensor]:
    return {
        f"{place}/codes": codes.codes.contiguous(),
        f"{place}/scales": codes.scales.contiguous(),
    }


def _codes(tensors: dict[str, Tensor], place: str, form: Form) -> Codes:
    return Codes(codes=tensors[f"{place}/codes"], scales=tensors[f"{place}/scales"], bits=form.bits)
