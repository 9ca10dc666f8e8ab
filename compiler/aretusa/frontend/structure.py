"""ModelStructure: what a compressed checkpoint changes about the blocks of its model."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LOW_RANK = ".low_rank"
ADAPTER = ".adapter"
IN, OUT = "_in", "_out"  # the two factors of either
WEIGHT = ".weight"
_BLOCK = re.compile(r"model\.layers\.([0-9]{1,6})\.", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStructure:
    """Matrices by module, the name of a tensor without `.weight`.

    `layer_map` has for each block of the model the stored block whose weights it uses. `ranks`
    holds modules whose matrix is a product of two, `adapters` those with a low-rank branch beside
    the matrix. `sparsity` has (n, m) where n of every m columns of each row are zero.
    """

    layer_map: tuple[int, ...]
    ranks: Mapping[str, int] = field(default_factory=dict)
    adapters: Mapping[str, int] = field(default_factory=dict)
    sparsity: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def is_mapped(self) -> bool:
        """Whether some block uses the weights of another one, or is left out."""
        return self.layer_map != tuple(range(len(self.layer_map)))

    def leaves_out(self, name: str) -> bool:
        """Whether a tensor belongs to a stored block that no block of the model uses."""
        found = _BLOCK.match(name)
        return self.is_mapped and found is not None and int(found[1]) not in self.layer_map

    @property
    def stored_layers(self) -> tuple[int, ...]:
        """The stored blocks that are used, in rising order."""
        return tuple(sorted(set(self.layer_map)))

    def shapes(self, module: str, rows: int, depth: int) -> dict[str, tuple[int, ...]]:
        """The matrices that a module with `rows` outputs and `depth` inputs consists of."""
        found: dict[str, tuple[int, ...]] = {}
        rank, adapter = self.ranks.get(module), self.adapters.get(module)
        if rank is None:
            found[module + WEIGHT] = (rows, depth)
        else:
            found[module + LOW_RANK + IN + WEIGHT] = (rank, depth)
            found[module + LOW_RANK + OUT + WEIGHT] = (rows, rank)
        if adapter is not None:
            found[module + ADAPTER + IN + WEIGHT] = (adapter, depth)
            found[module + ADAPTER + OUT + WEIGHT] = (rows, adapter)
        return found


def plain_structure(layers: int) -> ModelStructure:
    """That of a checkpoint which is not compressed."""
    return ModelStructure(layer_map=tuple(range(layers)))
