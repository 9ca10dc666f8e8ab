"""OpCall: one op of the program in one step, and the memories of its operands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.memory.contents import ROPE_COSINE
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa.ir.ops import Op
    from aretusa.ir.types import Cache, Value
    from aretusa.trace.listing import Listing, Matrix, Part


@dataclass(frozen=True, kw_only=True)
class OpCall:
    """Op `index` of a part, with row `row` of its tables: `tokens` tokens from `position` on.

    `homes` are the memories of all regions.
    """

    listing: Listing
    homes: Mapping[str, MemoryId]
    part: Part
    row: int
    index: int
    tokens: int
    position: int

    @property
    def op(self) -> Op:
        """The op with its buffers."""
        return self.part.ops[self.index]

    @cached_property
    def signature(self) -> tuple[object, ...]:
        """What the work of its phases depends on, but for what events tell."""
        op = self.op
        out = ops.result(op)
        values = [*ops.inputs(op), *([] if out is None else [out])]
        homes: list[object] = [self.homes.get(value.name) for value in values]
        homes += [self.homes.get(self.part.weight(role, self.row)) for role in ops.weights(op)]
        if isinstance(op, ops.Linear | ops.Embed):
            matrix = self.matrix
            homes += [matrix.type, matrix.engine]
            homes += [self.channels_home] if matrix.engine is not None else []
        return (id(self.part), self.index, self.tokens, *homes)

    @property
    def cores(self) -> int:
        """Of the cluster."""
        return self.listing.target.cluster.cores

    def home(self, value: Value | None) -> MemoryId:
        """Memory of a value's buffer; what is not named lies in L1."""
        return MemoryId.L1 if value is None else self.homes[value.name]

    def weight_home(self, role: str) -> MemoryId:
        """Memory of a vector of weights."""
        return self.homes[self.part.weight(role, self.row)]

    def table_home(self, op: ops.HeadsQuantise | ops.CacheAppend) -> MemoryId:
        """Memory of rotary tables or, without them, of the weights of a norm."""
        if op.rope:
            return self.homes[ROPE_COSINE]
        return MemoryId.L1 if op.norm_weight is None else self.weight_home(op.norm_weight)

    @cached_property
    def matrix(self) -> Matrix:
        """The matrix of a linear layer or of the embedding."""
        op = self.op
        assert isinstance(op, ops.Linear | ops.Embed), f"{op} has no matrix"
        role = op.weight if isinstance(op, ops.Linear) else op.table
        return self.listing.matrices[self.part.weight(role, self.row)]

    def cache(self, role: str) -> Cache:
        """The cache of a role."""
        return self.listing.graph.cache(self.part.cache(role, self.row))

    @property
    def channels_home(self) -> MemoryId:
        """Memory of the scales of rows on N-EUREKA: pages lie in the SRAM."""
        home = self.homes[self.matrix.engine_region]
        return MemoryId.SRAM if home is MemoryId.L3 else home
