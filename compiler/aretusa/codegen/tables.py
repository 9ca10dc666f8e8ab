"""Tables of weights and caches: one per role and kind of layer, one row per layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aretusa.codegen.calls import engine_table
from aretusa.codegen.render import hex_literal
from aretusa.codegen.views import (
    EngineJobView,
    EngineTableView,
    EngineView,
    MatrixTableView,
    MatrixView,
    PlaceTableView,
    PlaceView,
)
from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.contents import matrix_biases
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.neureka.registers import Mode
from aretusa.quantization.schemes import CHANNEL, container_bits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aretusa.codegen.naming import Names
    from aretusa.ir.ops import Op
    from aretusa.jobs.prepared import PreparedJobs
    from aretusa.memory.body import Body
    from aretusa.memory.engine_pieces import EnginePiece
    from aretusa.memory.plan import MemoryPlan, Region

_PARTS = {
    (False, False): "0",
    (True, False): "ART_HAS_MINIMUMS",
    (False, True): "ART_HAS_BIAS",
    (True, True): "ART_HAS_BOTH",
}
_ZEROS = " | ART_HAS_ZEROS"


def memory_name(region: Region) -> str:
    """The C name of the memory that a region lies in."""
    return f"ART_MEMORY_{region.memory.name}"


def place_view(name: str, region: Region) -> PlaceView:
    """Where a region starts."""
    return PlaceView(name=name, memory=memory_name(region), offset=hex_literal(region.offset_bytes))


class TableWriter:
    """Makes the tables of a program from its plan."""

    def __init__(
        self,
        bodies: Sequence[Body],
        plan: MemoryPlan,
        names: Names,
        prefixes: Sequence[str],
        prepared: PreparedJobs,
    ) -> None:
        first = bodies[0]
        self.prepared = prepared
        self.bodies = list(zip(bodies, prefixes, strict=True))
        self.regions = plan.by_name()
        self.names = names
        self.types = first.types
        self.biases = matrix_biases(first.graph)
        self.pieces = engine_pieces(first.graph, is_unsigned=first.is_unsigned)

    def _roles(self) -> Iterator[tuple[str, list[str]]]:
        """Key and full names of each role that a weight plays; outside the layers first."""
        outside = [item for item in self.bodies if item[0].kind is None]
        inside = [item for item in self.bodies if item[0].kind is not None]
        seen: set[str] = set()
        for body, prefix in (*outside, *inside):
            for role in weights_of(body.ops):
                if prefix + role not in seen:
                    seen.add(prefix + role)
                    yield prefix + role, body.weights(role)

    def matrices(self) -> Iterator[MatrixTableView]:
        """Rows that the cluster reads."""
        for key, weights in self._roles():
            if isinstance(self.types[weights[0]], DenseType) and weights[0] in self.regions:
                name = self.names.identifier("weight", key)
                yield MatrixTableView(name=name, rows=tuple(map(self._matrix, weights)))

    def vectors(self) -> Iterator[PlaceTableView]:
        """Weights of norms."""
        for key, weights in self._roles():
            if not isinstance(self.types[weights[0]], DenseType):
                name = self.names.identifier("weight", key)
                rows = tuple(place_view(name, self.regions[weight]) for weight in weights)
                yield PlaceTableView(name=name, rows=rows)

    def engines(self) -> Iterator[EngineTableView]:
        """Rows that N-EUREKA reads."""
        for key, weights in self._roles():
            if weights[0] in self.pieces:
                name = self.names.identifier("weight", engine_table(key))
                yield EngineTableView(name=name, rows=tuple(map(self._engine, weights)))

    def jobs(self) -> Iterator[EngineJobView]:
        """Registers that the rows of `engines` refer to."""
        for job in self.prepared.jobs:
            yield EngineJobView(rows=job.rows, registers=tuple(map(hex_literal, job.registers)))

    def caches(self) -> Iterator[PlaceTableView]:
        """Keys and values."""
        for body, prefix in self.bodies:
            roles = dict.fromkeys(role for op in body.ops for role in ops.written_caches(op))
            for role in roles:
                name = self.names.identifier("cache", f"{prefix}{role}.cache")
                rows = tuple(place_view(name, self.regions[cache]) for cache in body.caches(role))
                yield PlaceTableView(name=name, rows=rows)

    def _matrix(self, name: str) -> MatrixView:
        matrix, region = self.types[name], self.regions[name]
        assert isinstance(matrix, DenseType), f"{name} is not a matrix"
        if name in self.pieces:
            matrix = replace(matrix, rows=matrix.rows - self.pieces[name].rows)
        form = "CHANNEL" if matrix.group == CHANNEL else "GROUP"
        zeros, columns = (matrix.pattern or (0, 0)) if matrix.is_packed else (0, 0)
        return MatrixView(
            memory=memory_name(region),
            form=f"ART_MATRIX_W{container_bits(matrix.bits)}_{form}",
            zero=matrix.zero,
            parts=_PARTS[matrix.has_minimum, name in self.biases] + _ZEROS * matrix.has_zeros,
            group=matrix.group,
            kept=columns - zeros,
            columns=columns,
            rows=matrix.rows,
            depth=matrix.depth,
            offset=hex_literal(region.offset_bytes),
        )

    def _engine(self, name: str) -> EngineView:
        piece = self.pieces[name]
        region = self.regions[piece.name]
        is_1x1 = piece.engine.mode is Mode.DENSE_1X1
        return EngineView(
            mode="ART_NEUREKA_1X1" if is_1x1 else "ART_NEUREKA_3X3",
            bits=piece.bits,
            flags=_engine_flags(piece),
            memory=memory_name(region),
            group=piece.group,
            band_rows=piece.band_rows,
            rows=piece.rows,
            depth=piece.depth,
            offset=hex_literal(region.offset_bytes),
            channels=hex_literal(region.offset_bytes + piece.channels_offset),
            prepared=", ".join(map(str, self.prepared.numbers(name))),
        )


def _engine_flags(piece: EnginePiece) -> str:
    flags = {
        "ART_ENGINE_HAS_BIAS": piece.has_bias,
        "ART_ENGINE_UNSIGNED": piece.is_unsigned,
        "ART_ENGINE_HAS_MINIMUMS": piece.has_minimum,
        "ART_ENGINE_HAS_ZEROS": piece.has_zeros,
        "ART_ENGINE_FROM_0": piece.from_zero,
    }
    return " | ".join(name for name, is_set in flags.items() if is_set) or "0"


def weights_of(body: Iterable[Op]) -> list[str]:
    """Weights that a body reads, each once; biases are stored with their matrix."""
    found: dict[str, None] = {}
    for op in body:
        for name in ops.weights(op):
            if not (isinstance(op, ops.Linear) and name == op.bias):
                found[name] = None
    return list(found)
