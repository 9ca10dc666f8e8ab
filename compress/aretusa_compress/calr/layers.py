"""Train corrective branches layer by layer on what the original layers give."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from aretusa_compress.calr.branch import Branches, CorrectedLinear
from aretusa_compress.model.blocks import enter, windows_on
from aretusa_compress.model.finite import not_finite
from aretusa_compress.model.layer_inputs import after_block, watched
from aretusa_compress.solvers.low_rank import Factors

if TYPE_CHECKING:
    from aretusa_compress.calr.options import LayerOptions
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState
    from aretusa_compress.svd.decompositions import Place


@dataclass(slots=True, kw_only=True)
class LayerTraining:
    """Trains the branches of `layers`, by their places; the model itself stays as it is.

    A feed-forward network with chosen matrices is one layer: its output is the target, whatever
    runs between the matrices. Of other matrices each is a layer.
    """

    model: Model
    layers: dict[Place, Branches]
    windows: Tensor  # ids [count, length]
    options: LayerOptions
    seed: int
    state: StageState
    progress: Progress

    def run(self) -> dict[str, dict[str, float]]:
        """Error before and after by layer, as a share of the target's energy; changes `layers`."""
        if not self.options.steps or not any(one.corrective for one in self.layers.values()):
            return {}
        blocks = sorted({place.block for place in self.layers})
        self.progress.start("training layers", len(blocks))
        with torch.no_grad():
            entries = [enter(self.model, ids) for ids in windows_on(self.model, self.windows)]
        hidden = [entry.hidden for entry in entries]
        errors: dict[str, dict[str, float]] = {}
        seen = set[int]()
        for index, block in enumerate(self.model.blocks):
            arguments = [entry.arguments[index] for entry in entries]
            stored = self.model.layer_map[index]
            if stored in blocks and stored not in seen:
                seen.add(stored)
                errors |= self._block(stored, block, hidden, arguments)
                self.progress.advance()
            if len(seen) == len(blocks):
                break
            hidden = after_block(block, hidden, arguments)
        return errors

    def _block(
        self, stored: int, block: nn.Module, hidden: list[Tensor], arguments: list[dict[str, Any]]
    ) -> dict[str, dict[str, float]]:
        """The layers of one block, from `state` where they are there."""
        found: dict[str, dict[str, float]] = self.state.read_json(f"layer-{stored}") or {}
        if found:
            self._restore(stored)
            return found
        groups = self._groups(stored)
        inputs: dict[str, list[Tensor]] = {name: [] for name in groups}
        with watched(block, list(groups), lambda name, x: inputs[name].append(x[0].detach())):
            after_block(block, hidden, arguments)
        for name, places in groups.items():
            layer = block.get_submodule(name)
            found[f"{stored}.{name}"] = self._layer(layer, name, places, torch.cat(inputs[name]))
        self._keep(stored)
        self.state.write_json(f"layer-{stored}", found)
        return found

    def _groups(self, stored: int) -> dict[str, list[Place]]:
        """Layers of a block with the matrices in each, by their names in the block."""
        groups: dict[str, list[Place]] = {}
        whole = self.model.anatomy.feed_forward
        for place, branches in self.layers.items():
            if place.block == stored and branches.corrective is not None:
                is_inside = place.matrix.startswith(f"{whole}.")
                groups.setdefault(whole if is_inside else place.matrix, []).append(place)
        return groups

    def _layer(
        self, original: nn.Module, name: str, places: list[Place], inputs: Tensor
    ) -> dict[str, float]:
        """Train one layer on inputs [tokens, size]."""
        student, corrected = self._student(original, name, places)
        parameters = [
            value for one in corrected.values() for value in one.trained(factors=False).values()
        ]
        with torch.no_grad():
            targets = original(inputs)
        energy = targets.float().square().mean().clamp_min(1e-30)
        before = _error(student, inputs, targets)
        optimizer = torch.optim.Adam(parameters, lr=self.options.learning_rate, foreach=False)
        for value in parameters:
            value.requires_grad_(requires_grad=True)
        generator = torch.Generator().manual_seed(self.seed)
        best, least = [value.detach().clone() for value in parameters], before
        for step in range(self.options.steps):
            chosen = torch.randint(len(inputs), (self.options.rows,), generator=generator)
            chosen = chosen.to(inputs.device)
            difference = student(inputs[chosen]).float() - targets[chosen].float()
            loss = difference.square().mean() / energy
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for group in optimizer.param_groups:  # a straight fall to zero
                group["lr"] = self.options.learning_rate * (1 - step / self.options.steps)
            optimizer.step()
        after = _error(student, inputs, targets)
        if not after < float("inf"):
            raise not_finite(f"the error of a trained layer is {after}", places[0].name)
        if after < least:
            best, least = [value.detach().clone() for value in parameters], after
        with torch.no_grad():  # what training made worse stays as it was
            for value, kept in zip(parameters, best, strict=True):
                value.copy_(kept)
        for place, one in corrected.items():
            self.layers[place] = one.branches()
        return {"before": before, "after": least}

    def _student(
        self, original: nn.Module, name: str, places: list[Place]
    ) -> tuple[nn.Module, dict[Place, CorrectedLinear]]:
        """The layer with branches in the place of its chosen matrices."""
        student = copy.deepcopy(original).requires_grad_(requires_grad=False)
        if len(places) == 1 and places[0].matrix == name:
            assert isinstance(original, nn.Linear)
            alone = CorrectedLinear(original, self.layers[places[0]])
            return alone, {places[0]: alone}
        corrected = {}
        for place in self._in_layer(places[0].block, name):
            inner = place.matrix.removeprefix(f"{name}.")
            layer = original.get_submodule(inner)
            assert isinstance(layer, nn.Linear)
            one = CorrectedLinear(layer, self.layers[place])
            setattr(student, inner, one)
            if place in places:
                corrected[place] = one
        return student, corrected

    def _in_layer(self, stored: int, name: str) -> list[Place]:
        """All factored matrices of a layer, those without a branch too."""
        return [
            place
            for place in self.layers
            if place.block == stored and place.matrix.startswith(f"{name}.")
        ]

    def _keep(self, stored: int) -> None:
        tensors = {}
        for place, branches in self.layers.items():
            if place.block == stored and branches.corrective is not None:
                tensors[f"{place.short}/inner"] = branches.corrective.inner
                tensors[f"{place.short}/outer"] = branches.corrective.outer
        self.state.write_tensors(f"branches-{stored}", tensors)

    def _restore(self, stored: int) -> None:
        tensors = self.state.read_tensors(f"branches-{stored}")
        assert tensors is not None, "written before the errors"
        for place, branches in self.layers.items():
            if f"{place.short}/inner" in tensors:
                beside = Factors(
                    inner=tensors[f"{place.short}/inner"], outer=tensors[f"{place.short}/outer"]
                )
                self.layers[place] = Branches(main=branches.main, corrective=beside)


@torch.no_grad()
def _error(student: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """Squared error over all rows as a share of the targets' energy."""
    difference = student(inputs).float() - targets.float()
    return float(difference.square().mean() / targets.float().square().mean().clamp_min(1e-30))
