"""MemoryPlan: the place of every constant, cache and buffer, by preference and first fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from aretusa.errors import CapacityError
from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.memory.lifetimes import buffers
from aretusa.memory.matrix_parts import matrix_parts
from aretusa.memory.placement import Buffer, Slot, align, peak_bytes, place
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aretusa.ir.graph import Graph
    from aretusa.schedule.roll import RolledGraph
    from aretusa.target.description import Target

IMAGE_HEADER_BYTES: Final = 64
IMAGE_CHUNK_BYTES: Final = 65536
GAP_BYTES: Final = 4096  # free behind an image: no page of an emulated memory is half read-only
ROPE_COSINE: Final = "rope.cosine"
ROPE_SINE: Final = "rope.sine"
TOKENIZER: Final = "tokenizer"
WORKSPACE: Final = "workspace"

_ENGINE: Final = (MemoryId.MRAM, MemoryId.SRAM)  # N-EUREKA reads weights from nowhere else
_HOT: Final = (MemoryId.MRAM, MemoryId.SRAM, MemoryId.L3)  # read in full for every token
_COLD: Final = (MemoryId.L3, MemoryId.SRAM, MemoryId.MRAM)  # one row per token
_SMALL: Final = (MemoryId.L2, MemoryId.L3)
_BUFFERS: Final = (MemoryId.L1, MemoryId.L2, MemoryId.L3)


class RegionKind(Enum):
    """What lies in a region."""

    WEIGHT = "weight"
    TABLE = "table"
    TOKENIZER = "tokenizer"
    CACHE = "cache"
    WORKSPACE = "workspace"
    BUFFER = "buffer"

    @property
    def is_constant(self) -> bool:
        """Whether the region is part of an image."""
        return self in {RegionKind.WEIGHT, RegionKind.TABLE, RegionKind.TOKENIZER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Bytes with a name. Buffers are alive from epoch `first` to `last`; the rest always."""

    name: str
    kind: RegionKind
    memory: MemoryId
    offset_bytes: int
    size_bytes: int
    first: int = 0
    last: int = -1

    @property
    def end_bytes(self) -> int:
        """First byte after the region."""
        return self.offset_bytes + self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Where everything lies. Constants of a memory stand first, behind its image header."""

    target: Target
    regions: tuple[Region, ...]

    def region(self, name: str) -> Region:
        """The region of that name."""
        return next(region for region in self.regions if region.name == name)

    def within(self, memory: MemoryId) -> list[Region]:
        """Regions of one memory by offset."""
        found = [region for region in self.regions if region.memory is memory]
        return sorted(found, key=lambda region: (region.offset_bytes, region.name))

    def constants(self, memory: MemoryId) -> list[Region]:
        """Regions of one memory that its image holds."""
        return [region for region in self.within(memory) if region.kind.is_constant]

    def used_bytes(self, memory: MemoryId) -> int:
        """Bytes up to the end of the last region."""
        return max((region.end_bytes for region in self.within(memory)), default=0)


@dataclass(frozen=True, slots=True)
class _Wish:
    """A region before it has a place."""

    name: str
    kind: RegionKind
    size_bytes: int
    preference: tuple[MemoryId, ...]


def image_header_bytes(capacity_bytes: int) -> int:
    """Header and CRC table of an image of any size up to the capacity."""
    words = -(-capacity_bytes // IMAGE_CHUNK_BYTES)
    return -(-(IMAGE_HEADER_BYTES + 4 * words) // 64) * 64


def plan_memory(
    graph: Graph,
    rolled: RolledGraph,
    target: Target,
    *,
    tokenizer_bytes: int,
    workspace_bytes: int,
) -> MemoryPlan:
    """Place everything; raises CapacityError naming what found no room."""
    arenas = _place_buffers(graph, rolled, target)
    free = {
        memory.id: memory.capacity_bytes
        - image_header_bytes(memory.capacity_bytes)
        - align(peak_bytes(arenas[memory.id]))
        - (GAP_BYTES if memory.id in _SMALL else 0)
        for memory in target.memories
    }
    wishes = [
        *_caches(graph),
        _Wish(WORKSPACE, RegionKind.WORKSPACE, workspace_bytes, _SMALL),
        *_constants(graph, tokenizer_bytes),
    ]
    placed = _settle(wishes, free)
    regions: list[Region] = []
    for memory in target.memories:
        start = image_header_bytes(memory.capacity_bytes)
        regions.extend(_lay_out(memory.id, placed[memory.id], arenas[memory.id], start))
    return MemoryPlan(target=target, regions=tuple(regions))


def _settle(wishes: Iterable[_Wish], free: dict[MemoryId, int]) -> dict[MemoryId, list[_Wish]]:
    """Give each wish, in order, the first memory it prefers that has room; `free` shrinks."""
    placed: dict[MemoryId, list[_Wish]] = {memory: [] for memory in MemoryId}
    for wish in wishes:
        size_bytes = align(wish.size_bytes)
        home = next((memory for memory in wish.preference if free[memory] >= size_bytes), None)
        if home is None:
            nearest = max(wish.preference, key=lambda memory: free[memory])
            raise CapacityError(
                "E0401",
                what=f"{wish.kind.value} {wish.name!r}",
                memory=nearest.name,
                need_bytes=size_bytes,
                free_bytes=free[nearest],
                fix="Choose fewer context positions, fewer bits, or a target with more memory",
            )
        free[home] -= size_bytes
        placed[home].append(wish)
    return placed


def _place_buffers(graph: Graph, rolled: RolledGraph, target: Target) -> dict[MemoryId, list[Slot]]:
    arenas: dict[MemoryId, list[Slot]] = {memory: [] for memory in MemoryId}
    wanted = buffers(graph, rolled)
    bound = _place_bound([buffer for buffer in wanted if buffer.needs_l1], target)
    homeless = [buffer for buffer in wanted if not buffer.needs_l1]
    for memory in _BUFFERS:
        capacity = target.memory(memory).capacity_bytes
        fixed = bound if memory is MemoryId.L1 else []
        arenas[memory], homeless = place(homeless, capacity - image_header_bytes(capacity), fixed)
    if homeless:
        last = target.memory(_BUFFERS[-1])
        together = [slot.buffer for slot in arenas[last.id]] + homeless
        slots, _ = place(together, sum(align(buffer.size_bytes) for buffer in together))
        raise CapacityError(
            "E0401",
            what=f"the working set with buffer {homeless[0].name!r}",
            memory=last.id.name,
            need_bytes=peak_bytes(slots),
            free_bytes=last.capacity_bytes - image_header_bytes(last.capacity_bytes),
            fix="Choose a smaller --chunk, fewer context positions, or a target with more memory",
        )
    return arenas


def _place_bound(wanted: list[Buffer], target: Target) -> list[Slot]:
    """Buffers that must lie in L1 get their places first."""
    l1 = target.memory(MemoryId.L1)
    free_bytes = l1.capacity_bytes - image_header_bytes(l1.capacity_bytes)
    slots, homeless = place(wanted, free_bytes)
    if homeless:
        together, _ = place(wanted, sum(align(buffer.size_bytes) for buffer in wanted))
        raise CapacityError(
            "E0401",
            what=f"what N-EUREKA reads and writes, with buffer {homeless[0].name!r},",
            memory="L1",
            need_bytes=peak_bytes(together),
            free_bytes=free_bytes,
            fix="Choose a smaller --chunk, --engine cluster, or a target with more L1",
        )
    return slots


def _caches(graph: Graph) -> list[_Wish]:
    return [
        _Wish(cache.name, RegionKind.CACHE, cache.size_bytes(graph.context), _SMALL)
        for cache in graph.caches
    ]


def _constants(graph: Graph, tokenizer_bytes: int) -> list[_Wish]:
    """Vectors and tables; hot matrices in the order of their use; the cold embedding last."""
    biases = matrix_biases(graph)
    hot = {op.weight for op in graph.ops if isinstance(op, ops.Linear)}
    matrices: dict[bool, list[_Wish]] = {True: [], False: []}
    vectors: list[_Wish] = []
    engines = engine_pieces(graph)
    engine_wishes: list[_Wish] = []
    for weight in graph.weights:
        if isinstance(weight.type, DenseType):
            is_hot = weight.name in hot
            piece = engines.get(weight.name)
            rest = weight.type
            if piece is not None:
                rest = replace(rest, rows=rest.rows - piece.rows)
                engine_wishes.append(
                    _Wish(piece.codes_name, RegionKind.WEIGHT, piece.codes_bytes, _ENGINE)
                )
                vectors.append(
                    _Wish(piece.channels_name, RegionKind.WEIGHT, piece.channels_bytes, _SMALL)
                )
            if rest.rows:
                size = matrix_parts(rest, has_bias=weight.name in biases).size_bytes
                preference = _HOT if is_hot else _COLD
                matrices[is_hot].append(_Wish(weight.name, RegionKind.WEIGHT, size, preference))
        elif weight.name not in biases.values():
            vectors.append(_Wish(weight.name, RegionKind.WEIGHT, 4 * weight.type.size, _SMALL))
    rope_bytes = 4 * graph.context * graph.rope_dim // 2
    tables = [
        _Wish(name, RegionKind.TABLE, rope_bytes, _SMALL) for name in (ROPE_COSINE, ROPE_SINE)
    ]
    tokenizer = _Wish(TOKENIZER, RegionKind.TOKENIZER, tokenizer_bytes, _SMALL)
    return [*vectors, *tables, tokenizer, *engine_wishes, *matrices[True], *matrices[False]]


def matrix_biases(graph: Graph) -> dict[str, str]:
    """Bias of each matrix that has one; it is stored with the matrix."""
    return {
        op.weight: op.bias for op in graph.ops if isinstance(op, ops.Linear) and op.bias is not None
    }


def _lay_out(
    memory: MemoryId, wishes: Sequence[_Wish], arena: Sequence[Slot], start: int
) -> list[Region]:
    """Constants first, then caches and workspace, then the arena of the buffers."""
    regions: list[Region] = []
    cursor = start
    is_behind_image = False
    for wish in sorted(wishes, key=lambda wish: not wish.kind.is_constant):
        if not wish.kind.is_constant and not is_behind_image:
            cursor, is_behind_image = cursor + GAP_BYTES, True
        regions.append(
            Region(
                name=wish.name,
                kind=wish.kind,
                memory=memory,
                offset_bytes=cursor,
                size_bytes=wish.size_bytes,
            )
        )
        cursor = align(cursor + wish.size_bytes)
    if regions and not is_behind_image:
        cursor += GAP_BYTES
    regions.extend(
        Region(
            name=slot.buffer.name,
            kind=RegionKind.BUFFER,
            memory=memory,
            offset_bytes=cursor + slot.offset_bytes,
            size_bytes=slot.buffer.size_bytes,
            first=slot.buffer.first,
            last=slot.buffer.last,
        )
        for slot in arena
    )
    return regions
