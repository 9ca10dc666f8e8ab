"""Listings with fewer layers: what repeats is traced once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.trace.listing import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.memory.plan import Region
    from aretusa.target.description import MemoryId
    from aretusa.trace.listing import Listing

KEPT = 2  # layers at each end of a run of equal ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Layers first .. first + count - 1 have equal ops, matrices and homes."""

    first: int
    count: int

    @property
    def kept(self) -> tuple[int, ...]:
        """Layers that tell what all others do: the others repeat the second one."""
        layers = range(self.first, self.first + self.count)
        if self.count <= 2 * KEPT:
            return tuple(layers)
        return (*layers[:KEPT], *layers[-KEPT:])


def runs(listing: Listing, homes: dict[str, MemoryId]) -> list[Run]:
    """All layers in their order."""
    found: list[Run] = []
    previous: object = None
    for layer in range(len(listing.order)):
        signature = _signature(listing, layer, homes)
        if found and signature == previous:
            found[-1] = replace(found[-1], count=found[-1].count + 1)
        else:
            found.append(Run(first=layer, count=1))
        previous = signature
    return found


def _signature(listing: Listing, layer: int, homes: dict[str, MemoryId]) -> tuple[object, ...]:
    """What events and cycles of a layer depend on, but for its neighbours."""
    part, row = listing.layer_part(layer)
    found: list[object] = [listing.order[layer][0]]
    for op in part.ops:
        for role in ops.weights(op):
            name = part.weight(role, row)
            matrix = listing.matrices.get(name)
            found.append((homes.get(name), homes.get(name + "#engine")))
            found.append(None if matrix is None else (matrix.type, matrix.engine))
        roles = {*ops.read_caches(op), *ops.written_caches(op)}
        found += sorted(homes[part.cache(role, row)] for role in roles)
    return tuple(found)


def with_layers(listing: Listing, layers: Sequence[int]) -> Listing:
    """The same program with some of its layers, which the graph counts anew."""
    kept: dict[int | None, int | None] = {None: None}
    kept.update({layer: number for number, layer in enumerate(layers)})
    graph = listing.graph
    left = [replace(op, layer=kept[op.layer]) for op in graph.ops if op.layer in kept]
    order = tuple(listing.order[layer] for layer in layers)
    return replace(listing, graph=graph.with_ops(left), order=order)


def attention_alone(listing: Listing, layer: int, index: int) -> Listing:
    """One layer with nothing but the op of that number, which calls its scratch number 0."""
    part, _ = listing.layer_part(layer)
    alone = replace(part, ops=(part.ops[index],), epochs=(1,), linears=(None,))
    nothing = Part(ops=(), epochs=(), layers=(), stored=(), linears=())
    kind, row = listing.order[layer]
    parts = [nothing, *listing.parts[1:-1], nothing]
    parts[1 + kind] = alone
    own = [
        replace(op, layer=0)
        for op in listing.graph.ops
        if op.layer == layer and isinstance(op, ops.CachedAttention)
    ]
    return replace(
        listing,
        graph=listing.graph.with_ops(own),
        parts=tuple(parts),
        order=((kind, row),),
        regions=(*listing.regions, _renamed(listing.regions, f"scratch{index}", "scratch0")),
    )


def _renamed(regions: Sequence[Region], old: str, new: str) -> Region:
    return replace(next(region for region in regions if region.name == old), name=new)
