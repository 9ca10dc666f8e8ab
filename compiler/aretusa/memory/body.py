"""Body: the ops of a part of the program, with the weights and caches that its roles stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from aretusa.ir.ops import (
    Add,
    Attention,
    CacheAppend,
    CachedAttention,
    Embed,
    HeadsQuantise,
    Linear,
    MergeHeads,
    Quantise,
    RmsNorm,
    RmsNormQuantise,
    Rope,
    SelectRow,
    SiluMul,
    SiluMulQuantise,
    SplitHeads,
)
from aretusa.ir.types import DenseType
from aretusa.memory.engine_pieces import piece_of
from aretusa.memory.linear_plan import plan_linear
from aretusa.memory.scratch import (
    append_scratch_bytes,
    attention_scratch_bytes,
    embed_scratch_bytes,
    quantise_scratch_bytes,
)
from aretusa.schedule.roll import layer_cache, layer_weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op
    from aretusa.ir.types import Cache, WeightType
    from aretusa.memory.engine_pieces import EnginePiece
    from aretusa.memory.linear_plan import LinearPlan
    from aretusa.memory.working_set import WorkingSet
    from aretusa.schedule.roll import RolledGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Ops that run together; `layers` is empty outside the layers, `kind` their kind's number.

    `stored` has for each layer the one whose weights it uses.
    """

    graph: Graph
    types: dict[str, WeightType]
    working: WorkingSet
    is_unsigned: bool
    ops: tuple[Op, ...]
    layers: tuple[int, ...]
    stored: tuple[int, ...]
    kind: int | None

    def weights(self, role: str) -> list[str]:
        """Full names of the weights that play a role, one per layer."""
        if self.kind is None:
            return [role]
        return [layer_weight(role, layer) for layer in self.stored]

    def caches(self, role: str) -> list[str]:
        """Full names of the caches that play a role, one per layer."""
        return [layer_cache(role, layer) for layer in self.layers]

    def cache(self, role: str) -> Cache:
        """The cache of the first layer: those of a kind have equal shapes."""
        return self.graph.cache(self.caches(role)[0])

    def matrices(self, role: str) -> list[DenseType]:
        """The matrices that play a role, one per layer."""
        found = [self.types[name] for name in self.weights(role)]
        return [matrix for matrix in found if isinstance(matrix, DenseType)]

    def linear(self, op: Linear) -> LinearPlan:
        """How a linear layer is cut."""
        pieces, rests = [], []
        for name, matrix in zip(self.weights(op.weight), self.matrices(op.weight), strict=True):
            piece = piece_of(replace(op, weight=name), matrix, is_unsigned=self.is_unsigned)
            pieces += [] if piece is None else [piece]
            rest = matrix.rows - (0 if piece is None else piece.rows)
            rests += [replace(matrix, rows=rest)] if rest else []
        return plan_linear(pieces, rests, self.working, has_bias=op.bias is not None)

    def table(self, op: Embed) -> tuple[EnginePiece | None, DenseType | None]:
        """The rows of an embedding table in N-EUREKA's layout, and those after them."""
        matrix = self.matrices(op.table)[0]
        reader = next(
            (o for o in self.graph.ops if isinstance(o, Linear) and o.weight == op.table), None
        )
        piece = None
        if reader is not None:
            piece = piece_of(reader, matrix, is_unsigned=self.is_unsigned)
        rest = matrix.rows - (0 if piece is None else piece.rows)
        return piece, replace(matrix, rows=rest) if rest else None

    def scratch_bytes(self, op: Op) -> int:
        """Scratch that the op's kernel shares among the cores."""
        chunk = self.graph.chunk_max
        match op:
            case RmsNormQuantise() | Quantise():
                return quantise_scratch_bytes(
                    tokens=op.src.type.rows(chunk), depth=op.src.type.depth
                )
            case SiluMulQuantise():
                return quantise_scratch_bytes(
                    tokens=op.gate.type.rows(chunk), depth=op.gate.type.depth
                )
            case CacheAppend():
                cache = self.cache(op.cache)
                return append_scratch_bytes(
                    tokens=chunk, heads=cache.heads, row_bytes=cache.row_bytes
                )
            case CachedAttention():
                return self._attention_bytes(op)
            case Embed():
                piece, rest = self.table(op)
                return embed_scratch_bytes(piece, rest)
            case Linear():
                return self.linear(op).scratch_bytes
            case (
                RmsNorm()
                | SplitHeads()
                | MergeHeads()
                | Rope()
                | Attention()
                | SiluMul()
                | Add()
                | SelectRow()
                | HeadsQuantise()
            ):
                return 0
            case _:
                assert_never(op)

    def _attention_bytes(self, op: CachedAttention) -> int:
        _, heads, dim = op.query.type.dims(self.graph.chunk_max)
        caches = [self.cache(role) for role in (op.key_cache, op.value_cache)]
        return attention_scratch_bytes(
            tokens=self.graph.chunk_max,
            heads=heads,
            kv_heads=caches[0].heads,
            dim=dim,
            row_bytes=max(cache.row_bytes for cache in caches),
            context=self.graph.context,
            tile_positions=self.working.tile_positions,
            scores_bytes=self.working.scores_bytes,
        )


def bodies(
    graph: Graph, rolled: RolledGraph, working: WorkingSet, *, is_unsigned: bool
) -> Iterator[Body]:
    """Prologue, kinds of layers, epilogue."""
    base = Body(
        graph=graph,
        types=graph.weight_types(),
        working=working,
        is_unsigned=is_unsigned,
        ops=rolled.prologue,
        layers=(),
        stored=(),
        kind=None,
    )
    yield base
    for index, kind in enumerate(rolled.kinds):
        yield replace(base, ops=kind.ops, layers=kind.layers, stored=kind.stored, kind=index)
    yield replace(base, ops=rolled.epilogue)
