"""AdaptedStore: a checkpoint's tensors with the branches of an adapter beside its matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.frontend.peft_adapter import unusable
from aretusa.frontend.printable import printable, printable_list
from aretusa.frontend.structure import ADAPTER, IN, OUT, WEIGHT
from aretusa.frontend.tensor_shapes import expected_shapes, linear_modules
from aretusa.frontend.weights import FloatWeight

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aretusa.frontend.checkpoint import TensorStore
    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.peft_adapter import Adapter
    from aretusa.frontend.structure import ModelStructure
    from aretusa.frontend.weights import CodeForm, StoredWeight


@dataclass(frozen=True, slots=True)
class AdaptedStore:
    """`branches` has module and side (0: A, 1: B) of each tensor that the adapter brings."""

    base: TensorStore
    adapter: Adapter
    branches: Mapping[str, tuple[str, int]]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold the tensors, and the adapter's options, which scale them."""
        return (*self.base.files, self.adapter.config_path, self.adapter.weights.mapped.path)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor."""
        found = {name: self.adapter.shape(*at) for name, at in self.branches.items()}
        return self.base.shapes | found

    @property
    def forms(self) -> dict[str, CodeForm]:
        """Those of the checkpoint: adapters are real numbers."""
        return self.base.forms

    @property
    def labels(self) -> dict[str, str]:
        """Those of the checkpoint."""
        return self.base.labels

    def file_of(self, name: str) -> Path:
        """The file that holds a tensor."""
        path = self.adapter.weights.mapped.path
        return path if name in self.branches else self.base.file_of(name)

    def read(self, name: str) -> StoredWeight:
        """One tensor; its values are not checked yet."""
        if name not in self.branches:
            return self.base.read(name)
        return FloatWeight(self.adapter.values(*self.branches[name]))


def with_adapter(
    structure: ModelStructure, adapter: Adapter, config: LlamaConfig
) -> ModelStructure:
    """The structure with the adapter's branches; E0146 for one that the model has no place for."""
    path = adapter.weights.mapped.path
    modules = linear_modules(config, structure)
    strangers = [module for module in adapter.names if module not in modules]
    if strangers:
        raise unusable(
            f"{len(strangers)} branches belong to no matrix of the model: "
            f"{printable_list(strangers)}",
            path,
        )
    taken = [module for module in adapter.names if module in structure.adapters]
    if taken:
        why = "the checkpoint brings it"
        raise unusable(f"'{printable(taken[0])}' has an adapter already", path, why)
    ranks = {module: adapter.shape(module, 0)[0] for module in adapter.names}
    adapted = replace(structure, adapters={**structure.adapters, **ranks})
    expected = expected_shapes(config, adapted)
    for name, (module, side) in branches_of(adapter).items():
        found = adapter.shape(module, side)
        if found != expected[name]:
            why = f"expected {list(expected[name])}, found {list(found)}"
            raise unusable(f"the branch of '{printable(module)}' has a wrong shape", path, why)
    return adapted


def branches_of(adapter: Adapter) -> dict[str, tuple[str, int]]:
    """Module and side of each tensor, by the name it has in the graph."""
    return {
        module + ADAPTER + ending + WEIGHT: (module, side)
        for module in adapter.names
        for side, ending in enumerate((IN, OUT))
    }
