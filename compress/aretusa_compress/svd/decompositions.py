"""Decompositions of the matrices of a model, each as its inputs of the unchanged model weigh it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from aretusa_compress.model.blocks import enter, windows_on
from aretusa_compress.model.forms import AdaptedLinear
from aretusa_compress.model.layer_inputs import after_block, watched
from aretusa_compress.run.context import cannot_apply
from aretusa_compress.solvers.gptq import GptqOptions, NotPositiveDefiniteError, quantise
from aretusa_compress.solvers.grid import Codes, round_to_grid, weighted_scales
from aretusa_compress.solvers.low_rank import (
    Factors,
    decompose,
    decompose_for_inputs,
    decompose_for_loss,
)
from aretusa_compress.solvers.moments import Moments
from aretusa_compress.svd.gradients import output_moments
from aretusa_compress.svd.options import Method
from aretusa_compress.svd.patterns import matches_any, without_effect
from aretusa_compress.svd.ranks import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState
    from aretusa_compress.svd.options import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A matrix in components, the strongest first; none beyond those that save parameters."""

    inner: Tensor  # float32 [components, depth]
    outer: Tensor  # float32 [rows, components]
    values: Tensor  # float64: all singular values as inputs, or inputs and loss, see them
    weights: Tensor  # float64: all singular values of the matrix itself
    codes: Codes | None  # of `inner`, row by row

    def truncated(self, rank: int) -> Factors:
        """The first `rank` components."""
        return Factors(
            inner=self.inner[:rank].contiguous(), outer=self.outer[:, :rank].contiguous()
        )

    @property
    def size(self) -> Size:
        """Of the matrix."""
        return Size(self.outer.shape[0], self.inner.shape[1])


@dataclass(frozen=True, slots=True)
class Place:
    """A matrix: the number of its block as it is stored, its name there, its whole name."""

    block: int
    matrix: str
    prefix: str

    @property
    def short(self) -> str:
        """As patterns and reports have it: `4.self_attn.k_proj`."""
        return f"{self.block}.{self.matrix}"

    @property
    def name(self) -> str:
        """Without `.weight`: `model.layers.4.self_attn.k_proj`."""
        return f"{self.prefix}.{self.short}"


def chosen_places(model: Model, selection: Selection) -> list[Place]:
    """The matrices that a recipe means, block by block. Raises UsageError E0508 for slips."""
    anatomy = model.anatomy
    every = [
        Place(block, matrix, anatomy.prefix)
        for block in sorted(set(model.layer_map))
        for matrix in anatomy.matrices
    ]
    names = [place.short for place in every]
    slips = without_effect([*selection.matrices, *selection.dense], names)
    if slips:
        raise cannot_apply(
            f"no matrix is called '{slips[0]}'",
            f"a block has {', '.join(anatomy.matrices)}",
            "Correct the patterns of the stage",
        )
    chosen = [
        place
        for place in every
        if matches_any(selection.matrices, place.short)
        and not matches_any(selection.dense, place.short)
    ]
    if not chosen:
        raise cannot_apply(
            "no matrix is left to factor", "dense means all of them", "Shorten dense"
        )
    for place in chosen:
        layer = layer_of(model, place)
        if not isinstance(layer, nn.Linear) or isinstance(layer, AdaptedLinear):
            raise cannot_apply(
                f"{place.name} is no single matrix",
                "an earlier stage has factored it or put an adapter beside it",
                "Leave it out with dense, or put this stage before that one",
            )
    return chosen


def layer_of(model: Model, place: Place) -> nn.Module:
    """The layer in the first block that uses it."""
    block: nn.Module = model.blocks[model.layer_map.index(place.block)]
    return block.get_submodule(place.matrix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposer:
    """Decomposes block by block; what is done lies in `state` and is not done again."""

    model: Model
    places: list[Place]
    method: Method
    windows: Tensor | None  # ids [count, length] of calibration text
    state: StageState
    progress: Progress
    bits: int | None = None  # of the inner factors' codes, if there are to be any

    def parts(self) -> dict[str, Parts]:
        """Components of every place by its short name."""
        found: dict[str, Parts] = {}
        blocks = sorted({place.block for place in self.places})
        if self.method is Method.KFAC:
            self._keep_gradients()
        self.progress.start("decomposing matrices", len(blocks))
        for block, moments in self._unfinished(blocks):
            self._decompose(block, moments)
            self.progress.advance()
        for block in blocks:
            found |= self._read(block)
        return found

    def _unfinished(self, blocks: list[int]) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """Blocks without a file and the second moments of their inputs, by name of a matrix."""
        todo = {block for block in blocks if self.state.read_tensors(f"block-{block}") is None}
        self.progress.advance(len(blocks) - len(todo))
        if self.method is Method.PLAIN:
            yield from ((block, {}) for block in sorted(todo))
            return
        assert self.windows is not None, "the runner asks for calibration text before the work"
        if not todo:
            return
        with torch.no_grad():
            entries = [enter(self.model, ids) for ids in windows_on(self.model, self.windows)]
        hidden = [entry.hidden for entry in entries]
        seen = set[int]()
        for index, block in enumerate(self.model.blocks):
            arguments = [entry.arguments[index] for entry in entries]
            stored = self.model.layer_map[index]
            if stored in todo and stored not in seen:
                moments = self._moments(stored, block, hidden, arguments)
                seen.add(stored)
                yield stored, moments
            if seen == todo:
                return
            hidden = after_block(block, hidden, arguments)

    def _moments(
        self, stored: int, block: nn.Module, hidden: list[Tensor], arguments: list[dict[str, Any]]
    ) -> dict[str, Tensor]:
        """E[x x^T] of the inputs of each chosen matrix; those that read the same share it."""
        wanted = {place.matrix for place in self.places if place.block == stored}
        readers = {
            name: names[0]
            for names in self.model.anatomy.readers
            for name in names
            if name in wanted
        }
        found = {
            name: Moments(depth=block.get_submodule(name).in_features)
            for name in set(readers.values())
        }
        with watched(block, sorted(found), lambda name, inputs: found[name].add(inputs)):
            after_block(block, hidden, arguments)
        return {name: found[first].mean for name, first in readers.items()}

    def _keep_gradients(self) -> None:
        """Second moments of gradients at the outputs of all matrices, from one pass."""
        blocks = sorted({place.block for place in self.places})
        if self.state.read_json("gradients-of-blocks") == blocks:
            return
        assert self.windows is not None, "the runner asks for calibration text before the work"
        found = output_moments(self.model, self.places, self.windows, self.progress)
        for block in blocks:
            own = {p.matrix: found.pop(p.short) for p in self.places if p.block == block}
            self.state.write_tensors(f"gradients-{block}", own)
        self.state.write_json("gradients-of-blocks", blocks)

    def _decompose(self, block: int, moments: dict[str, Tensor]) -> None:
        tensors: dict[str, Tensor] = {}
        gradients = {}
        if self.method is Method.KFAC:
            gradients = self.state.read_tensors(f"gradients-{block}") or {}
        for place in self.places:
            if place.block != block:
                continue
            weight = layer_of(self.model, place).weight.detach().to("cpu", torch.float64)
            seen = Seen(moments.get(place.matrix), gradients.get(place.matrix))
            found = decomposed(weight, seen, self.bits)
            tensors |= {f"{place.matrix}/{part}": value for part, value in found.items()}
        self.state.write_tensors(f"block-{block}", tensors)

    def _read(self, block: int) -> dict[str, Parts]:
        tensors = self.state.read_tensors(f"block-{block}")
        assert tensors is not None, "every block was decomposed"
        found = {}
        for place in self.places:
            if place.block == block:
                own = {
                    part: tensors[f"{place.matrix}/{part}"]
                    for part in ("inner", "outer", "values", "weights")
                }
                codes = None
                if self.bits is not None:
                    codes = Codes(
                        codes=tensors[f"{place.matrix}/codes"],
                        scales=tensors[f"{place.matrix}/scales"],
                        bits=self.bits,
                    )
                found[place.short] = Parts(**own, codes=codes)
        return found


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a matrix beside its weights; gradients only where inputs are known."""

    inputs: Tensor | None  # E[x x^T] of its inputs, float64 [depth, depth]
    gradients: Tensor | None  # E[g g^T] of the loss's gradients at its outputs [rows, rows]


def decomposed(weight: Tensor, seen: Seen, bits: int | None) -> dict[str, Tensor]:
    """Tensors of the parts of a matrix [rows, depth]."""
    whole = plain = decompose(weight)
    if seen.inputs is not None and seen.gradients is not None:
        whole = decompose_for_loss(weight, seen.inputs, seen.gradients)
    elif seen.inputs is not None:
        whole = decompose_for_inputs(weight, seen.inputs)
    kept = whole.truncated(max(1, Size(*weight.shape).largest_rank))
    values = {"values": whole.values, "weights": plain.values.clone()}
    parts = {"inner": kept.inner, "outer": kept.outer, **values}
    if bits is not None:
        codes = inner_codes(kept.inner, seen.inputs, bits)
        parts |= {"codes": codes.codes.contiguous(), "scales": codes.scales.contiguous()}
    return parts


def inner_codes(inner: Tensor, moment: Tensor | None, bits: int) -> Codes:
    """Codes of a factor [components, depth], with error feedback where its inputs are known."""
    if moment is None:
        return rounded(inner, torch.ones(inner.shape[1], dtype=torch.float64), bits)
    try:
        return quantise(inner, moment, GptqOptions(bits=bits))
    except NotPositiveDefiniteError:
        return rounded(inner, moment.diagonal(), bits)


def rounded(matrix: Tensor, importance: Tensor, bits: int) -> Codes:
    """The nearest codes of matrix [rows, depth]; `importance` [depth] is that of each input."""
    values = matrix.to(torch.float64)
    scales = weighted_scales(values, importance.to(torch.float64), bits)
    codes = round_to_grid(values, scales, bits)
    return Codes(codes=codes.to(torch.int8), scales=scales.to(torch.float32), bits=bits)
