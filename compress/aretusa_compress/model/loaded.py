"""Model: a network in memory, the configuration it came with, and which blocks share weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from aretusa_compress.model.anatomy import ANATOMIES, Anatomy

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Model:
    """A network of transformers; stages change it in place.

    `config` is config.json as it was read. `origins` has a number for each block: blocks of equal
    number share their weights.
    """

    network: nn.Module
    config: dict[str, Any]
    origins: list[int]

    @property
    def anatomy(self) -> Anatomy:
        """What its parts are called."""
        return ANATOMIES[self.config["model_type"]]

    @property
    def body(self) -> nn.Module:
        """The network without its head: embedding, blocks, last norm."""
        return self.network.get_submodule(self.anatomy.body)

    @property
    def blocks(self) -> list[nn.Module]:
        """The transformer blocks in the order in which they run."""
        return list(self.body.get_submodule(self.anatomy.blocks).children())

    @property
    def norm(self) -> nn.Module:
        """The norm between the last block and the head."""
        return self.body.get_submodule(self.anatomy.norm)

    @property
    def shares_blocks(self) -> bool:
        """Whether some weights are used by more than one block."""
        return len(set(self.origins)) < len(self.origins)

    @property
    def layer_map(self) -> list[int]:
        """For each block the number under which its weights are stored."""
        stored = list(dict.fromkeys(self.origins))
        return [stored.index(origin) for origin in self.origins]

    def set_blocks(self, blocks: Sequence[nn.Module], origins: Sequence[int]) -> None:
        """Let the network consist of these blocks; each must be a module of its own."""
        network = self.network
        count = len(blocks)
        network.model.layers = nn.ModuleList(blocks)
        for index, block in enumerate(blocks):
            block.self_attn.layer_idx = index  # its place in a cache of keys and values
        network.config.num_hidden_layers = count
        if "num_hidden_layers" in self.config:
            self.config["num_hidden_layers"] = count
        self.origins = list(origins)

    def keep_layer_types(self, kept: Sequence[int]) -> None:
        """Let lists of the configuration with a value per block follow the blocks."""
        for holder in (self.config, self.network.config.__dict__):
            types = holder.get("layer_types")
            if isinstance(types, list):
                holder["layer_types"] = [types[index] for index in kept]
