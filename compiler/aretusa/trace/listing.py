"""Listing: every number of a plan that the compiled program works with, as one record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.memory.lifetimes import scratch_name
from aretusa.neureka.linear import Engine
from aretusa.schedule.epochs import epochs
from aretusa.schedule.roll import layer_cache, layer_weight
from aretusa.trace.layouts import EngineRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op
    from aretusa.memory.body import Body
    from aretusa.memory.plan import Region
    from aretusa.memory.working_set import WorkingSet
    from aretusa.plan.make import Plan
    from aretusa.target.description import Target

ENGINE_SUFFIX = "#engine"  # of the region of a matrix's rows on N-EUREKA


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearNumbers:
    """The sizes in a struct art_linear_plan."""

    tile_rows: int
    slice_rows: int
    block_rows: int
    sums_bytes: int
    input_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Ops that one function of network.c runs; `linears[i]` belongs to `ops[i]`.

    `epochs` are numbers of ops between two barriers. `layers` is empty outside the layers, `stored`
    has for each of them the one whose weights it uses.
    """

    ops: tuple[Op, ...]
    epochs: tuple[int, ...]
    layers: tuple[int, ...]
    stored: tuple[int, ...]
    linears: tuple[LinearNumbers | None, ...]

    def weight(self, role: str, row: int) -> str:
        """The weight in a row of the role's table."""
        return layer_weight(role, self.stored[row]) if self.stored else role

    def scratch(self, index: int) -> str:
        """Region of the scratch of an op's kernel."""
        return scratch_name(index, self.ops, is_layer=bool(self.layers))

    def cache(self, role: str, row: int) -> str:
        """The cache in a row of the role's table."""
        return layer_cache(role, self.layers[row])


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A weight matrix: its first rows on the engine, the others on the cluster."""

    name: str
    type: DenseType
    has_bias: bool
    engine: EngineRows | None

    @property
    def engine_region(self) -> str:
        """Region of the rows on the engine."""
        return self.name + ENGINE_SUFFIX

    @property
    def rest_rows(self) -> int:
        """Rows on the cluster."""
        return self.type.rows - (self.engine.rows if self.engine else 0)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The graph with its engines, the ops as the program calls them, and where everything lies.

    `parts` are the embedding, the kinds of layers and the head; `order` has kind and row of each
    layer.
    """

    target: Target
    graph: Graph
    parts: tuple[Part, ...]
    order: tuple[tuple[int, int], ...]
    regions: tuple[Region, ...]
    working: WorkingSet
    tokenizer_bytes: int
    workspace_bytes: int
    band_rows: Mapping[str, int] = field(default_factory=dict)  # by weight, where there are groups

    @cached_property
    def matrices(self) -> dict[str, Matrix]:
        """Every weight matrix, also an embedding that no linear layer reads."""
        linears = {op.weight: op for op in self.graph.ops if isinstance(op, ops.Linear)}
        return {
            weight.name: self._matrix(weight.name, weight.type, linears.get(weight.name))
            for weight in self.graph.weights
            if isinstance(weight.type, DenseType)
        }

    def _matrix(self, name: str, kind: DenseType, op: ops.Linear | None) -> Matrix:
        has_bias = op is not None and op.bias is not None
        engine = None
        if op is not None and op.engine is not None and op.engine_rows:
            engine = EngineRows(
                rows=op.engine_rows,
                depth=kind.depth,
                bits=kind.bits,
                is_1x1=op.engine == Engine.NEUREKA_1X1.value,
                has_bias=has_bias,
                is_unsigned=not self.target.has_signed_input,
                group=kind.group,
                band_rows=self.band_rows.get(name, 0),
                has_minimum=kind.has_minimum,
            )
        return Matrix(name=name, type=kind, has_bias=has_bias, engine=engine)

    def layer_part(self, layer: int) -> tuple[Part, int]:
        """The part that runs a layer, and the row of its tables."""
        kind, row = self.order[layer]
        return self.parts[1 + kind], row

    def without(self, name: str) -> Listing:
        """The same without one region."""
        kept = tuple(region for region in self.regions if region.name != name)
        return replace(self, regions=kept)


def listing(plan: Plan) -> Listing:
    """The numbers of a plan."""
    request = plan.request
    return listing_of(
        target=request.target,
        graph=plan.graph,
        bodies=plan.bodies,
        order=plan.rolled.order,
        regions=plan.memory.regions,
        working=plan.working,
        tokenizer_bytes=request.tokenizer_bytes,
        workspace_bytes=request.workspace_bytes,
    )


def listing_of(
    *,
    target: Target,
    graph: Graph,
    bodies: Iterable[Body],
    order: tuple[tuple[int, int], ...],
    regions: tuple[Region, ...],
    working: WorkingSet,
    tokenizer_bytes: int,
    workspace_bytes: int,
) -> Listing:
    """The numbers of what a plan decided, wherever that is known from."""
    pieces = engine_pieces(graph)
    return Listing(
        target=target,
        graph=graph,
        parts=tuple(map(_part, bodies)),
        order=order,
        regions=regions,
        working=working,
        tokenizer_bytes=tokenizer_bytes,
        workspace_bytes=workspace_bytes,
        band_rows={name: piece.band_rows for name, piece in pieces.items() if piece.band_rows},
    )


def _part(body: Body) -> Part:
    return Part(
        ops=body.ops,
        epochs=tuple(len(epoch) for epoch in epochs(body.ops)),
        layers=body.layers,
        stored=body.stored,
        linears=tuple(
            _numbers(body, op) if isinstance(op, ops.Linear) else None for op in body.ops
        ),
    )


def _numbers(body: Body, op: ops.Linear) -> LinearNumbers:
    plan = body.linear(op)
    return LinearNumbers(
        tile_rows=plan.tile_rows,
        slice_rows=plan.slice_rows,
        block_rows=plan.block_rows,
        sums_bytes=plan.sums_bytes,
        input_bytes=plan.input_bytes,
    )
