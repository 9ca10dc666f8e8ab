"""Graph, schedule and memory plan -> NetworkView: every number and name in network.c."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aretusa.codegen.calls import CallWriter, engine_table
from aretusa.codegen.naming import Names
from aretusa.codegen.render import hex_literal
from aretusa.codegen.views import (
    EngineTableView,
    EngineView,
    LayerOrderView,
    MatrixTableView,
    MatrixView,
    NetworkView,
    PlaceTableView,
    PlaceView,
)
from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.memory.plan import (
    ROPE_COSINE,
    ROPE_SINE,
    TOKENIZER,
    WORKSPACE,
    MemoryPlan,
    Region,
    RegionKind,
    matrix_biases,
)
from aretusa.neureka.registers import Mode
from aretusa.quantization.schemes import CHANNEL, container_bits
from aretusa.schedule.roll import layer_cache, layer_weight
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aretusa.codegen.views import BodyView
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op
    from aretusa.schedule.roll import LayerKind, RolledGraph

IMAGE_OFFSET_BYTES: Final = 0  # an image starts at the first byte of its memory


class NetworkViewBuilder:
    """Collects the parts of one NetworkView; `profile` names rows of the instruction profile."""

    def __init__(self, graph: Graph, rolled: RolledGraph, plan: MemoryPlan) -> None:
        self.graph = graph
        self.rolled = rolled
        self.plan = plan
        self.names = Names()
        self.profile: list[str] = []
        self.types = graph.weight_types()
        self.biases = matrix_biases(graph)
        self.pieces = engine_pieces(graph)

    def build(
        self, *, tool: str, scheme: str, model_hash: str, stop_tokens: Sequence[int]
    ) -> NetworkView:
        """The whole view."""
        rope = tuple(
            self._place(self.names.identifier("place", name), self.plan.region(name))
            for name in (ROPE_COSINE, ROPE_SINE)
        )
        buffers = tuple(
            self._place(self.names.identifier("buffer", f"{region.name}.place"), region)
            for region in self.plan.regions
            if region.kind is RegionKind.BUFFER
        )
        bodies = self._bodies()
        tables = list(self._tables())
        vocabulary = self.graph.logits.type.depth
        tokenizer, workspace = self.plan.region(TOKENIZER), self.plan.region(WORKSPACE)
        return NetworkView(
            tool=tool,
            scheme=scheme,
            model_hash=model_hash,
            vocabulary=vocabulary,
            context=self.graph.context,
            chunk_max=self.graph.chunk_max,
            layers=len(self.rolled.order),
            hidden_size=self._hidden_size(),
            buffers=buffers,
            places=rope,
            matrices=tuple(table for table in tables if isinstance(table, MatrixTableView)),
            vectors=tuple(table for table in tables if isinstance(table, PlaceTableView)),
            engines=tuple(self._engine_tables()),
            caches=tuple(self._cache_tables()),
            embed=bodies[0],
            kinds=tuple(bodies[1:-1]),
            order=tuple(
                LayerOrderView(kind=kind, row=row)
                for kind, row in self.rolled.order
                if len(self.rolled.kinds) > 1
            ),
            head=bodies[-1],
            logits=self.names.identifier("buffer", f"{self.graph.logits.name}.place"),
            images=tuple(self._images()),
            tokenizer=self._place("tokenizer", tokenizer),
            tokenizer_bytes=tokenizer.size_bytes,
            workspace=self._place("workspace", workspace),
            workspace_bytes=workspace.size_bytes,
            stop_tokens=tuple(stop_tokens),
            sram_weights_offset=hex_literal(self._weights_offset(MemoryId.SRAM, 0)),
            profile_rows=len(self.profile),
        )

    def _hidden_size(self) -> int:
        embed = self.rolled.prologue[0]
        assert isinstance(embed, ops.Embed), "the program does not start with the embedding"
        return embed.out.type.depth

    def _bodies(self) -> list[BodyView]:
        bodies = [
            self._writer("", "0").body(
                "run_embedding", "Token ids -> hidden states.", self.rolled.prologue
            )
        ]
        for index, kind in enumerate(self.rolled.kinds):
            prefix = self._prefix(index)
            layers = f"{len(kind.layers)} of {len(self.rolled.order)}"
            bodies.append(
                self._writer(prefix, "step->layer").body(
                    self.names.identifier("function", f"run.{prefix}layer"),
                    f"One transformer block; {layers} are of this kind.",
                    kind.ops,
                )
            )
        bodies.append(
            self._writer("", "0").body(
                "run_head", "A row of the hidden states -> logits.", self.rolled.epilogue
            )
        )
        return bodies

    def _prefix(self, kind: int) -> str:
        return f"kind{kind}." if len(self.rolled.kinds) > 1 else ""

    def _writer(self, kind: str, index: str) -> CallWriter:
        return CallWriter(
            graph=self.graph, names=self.names, profile=self.profile, kind=kind, index=index
        )

    def _tables(self) -> Iterator[MatrixTableView | PlaceTableView]:
        """One table per role and kind of layer, one row for weights outside the layers."""
        outside = _weights_of((*self.rolled.prologue, *self.rolled.epilogue))
        for name in outside:
            if self._on_cluster(name):
                yield self._table(name, [name])
        for index, kind in enumerate(self.rolled.kinds):
            for role in _weights_of(kind.ops):
                names = [layer_weight(role, layer) for layer in kind.layers]
                if self._on_cluster(names[0]):
                    yield self._table(self._prefix(index) + role, names)

    def _on_cluster(self, name: str) -> bool:
        """Whether the cluster reads any row of a weight."""
        matrix, piece = self.types[name], self.pieces.get(name)
        return piece is None or (isinstance(matrix, DenseType) and piece.rows < matrix.rows)

    def _engine_tables(self) -> Iterator[EngineTableView]:
        """Rows on N-EUREKA, one table per role and kind of layer."""
        for name in _weights_of((*self.rolled.prologue, *self.rolled.epilogue)):
            if name in self.pieces:
                yield self._engine_table(name, [name])
        for index, kind in enumerate(self.rolled.kinds):
            for role in _weights_of(kind.ops):
                names = [layer_weight(role, layer) for layer in kind.layers]
                if names[0] in self.pieces:
                    yield self._engine_table(self._prefix(index) + role, names)

    def _engine_table(self, key: str, weights: Sequence[str]) -> EngineTableView:
        name = self.names.identifier("weight", engine_table(key))
        return EngineTableView(name=name, rows=tuple(map(self._engine_row, weights)))

    def _engine_row(self, weight: str) -> EngineView:
        piece, matrix = self.pieces[weight], self.types[weight]
        assert isinstance(matrix, DenseType), f"{weight} is not a matrix"
        codes = self.plan.region(piece.codes_name)
        channels = self.plan.region(piece.channels_name)
        is_1x1 = piece.engine.mode is Mode.DENSE_1X1
        return EngineView(
            mode="ART_NEUREKA_1X1" if is_1x1 else "ART_NEUREKA_3X3",
            bits=matrix.bits,
            has_bias=int(piece.has_bias),
            rows=piece.rows,
            depth=matrix.depth,
            weights_offset=hex_literal(self._weights_offset(codes.memory, codes.offset_bytes)),
            memory=_memory(channels),
            channels=hex_literal(channels.offset_bytes),
        )

    def _weights_offset(self, memory: MemoryId, offset_bytes: int) -> int:
        """Where the engine sees a byte of its weight memory."""
        target = self.plan.target
        first = target.memory(MemoryId.MRAM).base_address
        return target.memory(memory).base_address + offset_bytes - first

    def _table(self, key: str, weights: Sequence[str]) -> MatrixTableView | PlaceTableView:
        name = self.names.identifier("weight", key)
        kinds = [self.types[weight] for weight in weights]
        if all(isinstance(kind, DenseType) for kind in kinds):
            return MatrixTableView(name=name, rows=tuple(map(self._matrix, weights)))
        rows = tuple(self._place(name, self.plan.region(weight)) for weight in weights)
        return PlaceTableView(name=name, rows=rows)

    def _matrix(self, name: str) -> MatrixView:
        matrix, region = self.types[name], self.plan.region(name)
        assert isinstance(matrix, DenseType), f"{name} is not a matrix"
        if name in self.pieces:
            matrix = replace(matrix, rows=matrix.rows - self.pieces[name].rows)
        form = "CHANNEL" if matrix.group == CHANNEL else "GROUP"
        parts = {
            (False, False): "0",
            (True, False): "ART_HAS_MINIMUMS",
            (False, True): "ART_HAS_BIAS",
            (True, True): "ART_HAS_BOTH",
        }
        return MatrixView(
            memory=_memory(region),
            form=f"ART_MATRIX_W{container_bits(matrix.bits)}_{form}",
            zero=matrix.zero,
            parts=parts[matrix.has_minimum, name in self.biases],
            group=matrix.group,
            rows=matrix.rows,
            depth=matrix.depth,
            offset=hex_literal(region.offset_bytes),
        )

    def _cache_tables(self) -> Iterator[PlaceTableView]:
        for index, kind in enumerate(self.rolled.kinds):
            prefix = self._prefix(index)
            for role in _caches_of(kind):
                name = self.names.identifier("cache", f"{prefix}{role}.cache")
                rows = tuple(
                    self._place(name, self.plan.region(layer_cache(role, layer)))
                    for layer in kind.layers
                )
                yield PlaceTableView(name=name, rows=rows)

    def _images(self) -> Iterator[PlaceView]:
        for memory in MemoryId:
            if self.plan.constants(memory):
                yield PlaceView(
                    name=memory.key,
                    memory=f"ART_MEMORY_{memory.name}",
                    offset=str(IMAGE_OFFSET_BYTES),
                )

    def _place(self, name: str, region: Region) -> PlaceView:
        return PlaceView(name=name, memory=_memory(region), offset=hex_literal(region.offset_bytes))


def _memory(region: Region) -> str:
    return f"ART_MEMORY_{region.memory.name}"


def _weights_of(body: Iterable[Op]) -> list[str]:
    """Weights that a body reads, each once; biases are stored with their matrix."""
    found: dict[str, None] = {}
    for op in body:
        for name in ops.weights(op):
            if not (isinstance(op, ops.Linear) and name == op.bias):
                found[name] = None
    return list(found)


def _caches_of(kind: LayerKind) -> list[str]:
    found: dict[str, None] = {}
    for op in kind.ops:
        found.update(dict.fromkeys(ops.written_caches(op)))
    return list(found)
