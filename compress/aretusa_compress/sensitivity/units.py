"""Units: what is factored or given back together, and the switch between both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa_compress.sensitivity.options import Unit
from aretusa_compress.svd.decompositions import layer_of
from aretusa_compress.svd.store import layer_with

if TYPE_CHECKING:
    from torch import nn

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.solvers.low_rank import Factors
    from aretusa_compress.svd.decompositions import Place


@dataclass(frozen=True, slots=True)
class Switch:
    """One matrix in all blocks that use it."""

    place: Place
    blocks: tuple[int, ...]
    original: nn.Module
    factored: nn.Module

    def turn(self, model: Model, *, factored: bool) -> None:
        """Let the network use the factors, or the matrix."""
        parent, _, child = self.place.matrix.rpartition(".")
        for block in self.blocks:
            layer = self.factored if factored else self.original
            setattr(model.blocks[block].get_submodule(parent), child, layer)


@dataclass(frozen=True, slots=True)
class SwitchedUnit:
    """Matrices that go together; `pattern` means them in a recipe."""

    pattern: str
    switches: tuple[Switch, ...]
    parameters_given_back: int  # that the matrices have more than the factors

    @property
    def first_block(self) -> int:
        """The first block of the model that the unit changes."""
        return min(block for switch in self.switches for block in switch.blocks)

    def turn(self, model: Model, *, factored: bool) -> None:
        """Let the network use the factors, or the matrices."""
        for switch in self.switches:
            switch.turn(model, factored=factored)


def switched_units(model: Model, factors: dict[Place, Factors], unit: Unit) -> list[SwitchedUnit]:
    """The units of a model in the order of its blocks; the network uses the matrices."""
    groups: dict[str, list[Switch]] = {}
    saved: dict[str, int] = {}
    for place, pair in factors.items():
        original = layer_of(model, place)
        blocks = tuple(i for i, stored in enumerate(model.layer_map) if stored == place.block)
        switch = Switch(place, blocks, original, layer_with(original, pair))
        pattern = place.short if unit is Unit.MATRIX else f"{place.block}.*"
        groups.setdefault(pattern, []).append(switch)
        less = original.weight.numel() - pair.inner.numel() - pair.outer.numel()
        saved[pattern] = saved.get(pattern, 0) + less
    units = [SwitchedUnit(name, tuple(group), saved[name]) for name, group in groups.items()]
    return sorted(units, key=lambda one: one.first_block)
