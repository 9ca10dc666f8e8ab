"""OpInfo: what each row of a simulation is, from the listing alone; and bytes alive by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.memory.contents import RegionKind
from aretusa.memory.lifetimes import op_label
from aretusa.target.description import MemoryId
from aretusa_sim.results import OccupancyResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.ir.ops import Op
    from aretusa.target.energy import ConvolutionMode
    from aretusa.trace.listing import Listing, Matrix, Part

OP_NAMES: Final = {
    ops.Linear: "linear",
    ops.CachedAttention: "attention",
    ops.RmsNormQuantise: "rmsnorm",
    ops.SiluMulQuantise: "silu",
    ops.HeadsQuantise: "rotate",
    ops.CacheAppend: "append",
    ops.Embed: "embed",
    ops.Quantise: "quantise",
}
CLUSTER: Final = "cluster"
SPLIT: Final = "split"
CHOICE: Final = "choose token"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpInfo:
    """One op of the whole program; `epoch` counts those of the embedding, each kind, the head."""

    layer: int | None
    name: str
    op: str
    engine: str
    memory: MemoryId | None
    bits: int
    tile_rows: int
    epoch: int
    mode: ConvolutionMode | None = None  # of N-EUREKA


def op_infos(listing: Listing) -> list[OpInfo]:
    """One for each row of a simulation, in order."""
    return list(_infos(listing))


def _infos(listing: Listing) -> Iterator[OpInfo]:
    homes = {region.name: region.memory for region in listing.regions}
    starts = _epoch_starts(listing)
    for place in _places(listing, starts):
        for index in range(len(place.part.ops)):
            yield _info(listing, place, index, homes)
    yield OpInfo(
        layer=None,
        name=CHOICE,
        op="argmax",
        engine=CLUSTER,
        memory=homes[listing.graph.logits.name],
        bits=0,
        tile_rows=0,
        epoch=starts[-1] + len(listing.parts[-1].epochs) - 1,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A part where it runs: the row of its tables, its layer, and its first epoch."""

    part: Part
    row: int
    layer: int | None
    epoch: int

    def epoch_of(self, index: int) -> int:
        """The epoch of an op."""
        numbers = [number for number, count in enumerate(self.part.epochs) for _ in range(count)]
        return self.epoch + numbers[index]


def _places(listing: Listing, starts: list[int]) -> Iterator[_Place]:
    yield _Place(listing.parts[0], 0, None, starts[0])
    for layer, (kind, row) in enumerate(listing.order):
        yield _Place(listing.parts[1 + kind], row, layer, starts[1 + kind])
    yield _Place(listing.parts[-1], 0, None, starts[-1])


def _epoch_starts(listing: Listing) -> list[int]:
    """The first epoch of each part; kinds of layers share one stretch, as one runs at a time."""
    first, *kinds, _ = listing.parts
    layers = len(first.epochs)
    longest = max((len(part.epochs) for part in kinds), default=0)
    return [0, *(layers for _ in kinds), layers + longest]


def _info(listing: Listing, place: _Place, index: int, homes: dict[str, MemoryId]) -> OpInfo:
    part, row = place.part, place.row
    op, numbers = part.ops[index], part.linears[index]
    matrix = _matrix(listing, part, row, op)
    engine, tile_rows = CLUSTER, 0
    memory = None if matrix is None else _home(matrix, homes)
    if isinstance(op, ops.Linear) and matrix is not None and numbers is not None:
        engine = _engine(op, matrix)
        is_paged = matrix.engine is not None and memory is MemoryId.L3
        tile_rows = numbers.slice_rows if is_paged else 0
        tile_rows = numbers.tile_rows if matrix.rest_rows else tile_rows
    caches = (*ops.read_caches(op), *ops.written_caches(op))
    if caches:
        memory = homes[part.cache(caches[0], row)]
    return OpInfo(
        layer=place.layer,
        name=_name(op),
        op=OP_NAMES.get(type(op), type(op).__name__.lower()),
        engine=engine,
        memory=memory,
        bits=matrix.type.bits if isinstance(op, ops.Linear) and matrix is not None else 0,
        tile_rows=tile_rows,
        epoch=place.epoch_of(index),
        mode=None if engine == CLUSTER or matrix is None else _mode(matrix),
    )


def _name(op: Op) -> str:
    return op.weight.removesuffix(".weight") if isinstance(op, ops.Linear) else op_label(op)


def _matrix(listing: Listing, part: Part, row: int, op: Op) -> Matrix | None:
    match op:
        case ops.Linear(weight=role) | ops.Embed(table=role):
            return listing.matrices[part.weight(role, row)]
        case _:
            return None


def _home(matrix: Matrix, homes: dict[str, MemoryId]) -> MemoryId:
    return homes[matrix.name if matrix.engine is None else matrix.engine_region]


def _engine(op: ops.Linear, matrix: Matrix) -> str:
    if matrix.engine is None or op.engine is None:
        return CLUSTER
    return SPLIT if matrix.rest_rows else op.engine


def _mode(matrix: Matrix) -> ConvolutionMode | None:
    if matrix.engine is None:
        return None
    return "1x1" if matrix.engine.is_1x1 else "3x3"


def epoch_labels(listing: Listing) -> list[str]:
    """What runs in each epoch, for people."""
    starts = _epoch_starts(listing)
    labels = [""] * (starts[-1] + len(listing.parts[-1].epochs))
    for start, part in zip(starts, listing.parts, strict=True):
        where = "layer: " if part.layers else ""
        first = 0
        for epoch, count in enumerate(part.epochs, start):
            text = where + " + ".join(map(op_label, part.ops[first : first + count]))
            labels[epoch] = labels[epoch] or text
            first += count
    return labels


def occupancy(listing: Listing) -> list[OccupancyResult]:
    """Bytes alive in each epoch: buffers while they are needed, all else always."""
    epochs = len(epoch_labels(listing))
    found = []
    for memory in listing.target.memories:
        here = [region for region in listing.regions if region.memory is memory.id]
        alive = [0] * epochs
        for region in here:
            is_buffer = region.kind in {RegionKind.BUFFER, RegionKind.RING} and region.last >= 0
            lives = range(region.first, region.last + 1) if is_buffer else range(epochs)
            for epoch in lives:
                alive[epoch] += region.size_bytes
        found.append(
            OccupancyResult(
                memory=memory.id.key,
                size_bytes=memory.size_bytes,
                capacity_bytes=memory.capacity_bytes,
                alive_bytes=alive,
            )
        )
    return found
