"""Scenarios: weights in their memories, streams, linear layers, and the results to expect."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np
from kernel_cases import normal, random_rows
from layer_weights import ClusterPart, EnginePart, aligned

from aretusa.jobs.prepared import one_token_job
from aretusa.quantization.layout import code_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

JUNK: Final = 0xA5  # what memory holds where nothing was put
NO_OFFSET: Final = 0xFFFF_FFFF
BLOB_ALIGN: Final = 16
SPAN_WORDS: Final = 2
HEADER_WORDS: Final = 2 + 5 * SPAN_WORDS + 2 * 3 + 10 + SPAN_WORDS
JOB_WORDS: Final = 25  # struct art_engine_job
JOBS_MAX: Final = 64  # SCENARIO_JOBS_MAX


class Memory(IntEnum):
    """enum art_memory."""

    L1 = 0
    L2 = 1
    SRAM = 2
    MRAM = 3
    L3 = 4


class Use(IntEnum):
    """enum scenario_use."""

    AS_MEANT = 0
    RELEASE_TOO_EARLY = 1
    NEVER_AWAIT = 2
    AWAIT_PAST_THE_END = 3
    AWAIT_WHILE_ALL_ARE_TAKEN = 4
    RELEASE_WHAT_WAS_NOT_AWAITED = 5
    BEGIN_TWICE = 6


class Residual(IntEnum):
    """Where residuals lie."""

    NONE = 0
    APART = 1
    IN_PLACE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OpSpec:
    """A linear layer of a kind; in the order of the kind's layers a memory for each part."""

    kind: int
    depth: int
    engine: EnginePart | None = None
    cluster: ClusterPart | None = None
    engine_memories: tuple[Memory, ...] = ()
    cluster_memories: tuple[Memory, ...] = ()
    tile_rows: int = 0
    slice_rows: int = 0
    block_rows: int = 0
    sums_bytes: int = 0
    input_bytes: int = 0

    @property
    def rows(self) -> int:
        """Of both parts."""
        return sum(part.rows for part in (self.engine, self.cluster) if part is not None)

    @property
    def scratch_bytes(self) -> int:
        """art_linear_scratch_bytes."""
        has_groups = self.engine is not None and self.engine.group > 0
        return (2 + has_groups) * aligned(self.sums_bytes) + 2 * aligned(self.input_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSpec:
    """Ops in the order of their kinds; layers as (kind, row of that kind's tables)."""

    name: str
    ops: tuple[OpSpec, ...]
    layers: tuple[tuple[int, int], ...]
    tokens: tuple[int, ...]  # of each pass
    tile_slots: int = 2
    page_slots: int = 2
    residual: Residual = Residual.NONE
    use: Use = Use.AS_MEANT
    slot_shortage: int = 0  # bytes that slots lack


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a program is given, and what it must leave in L2."""

    name: str
    header: list[int]  # what follows the memories
    tables: list[NDArray[np.uint32]]
    memories: list[bytes]
    results: slice
    expected: F32


class _Room:
    """A memory that fills up."""

    def __init__(self) -> None:
        self.data = bytearray([JUNK] * 32)  # nothing lies at 0

    def reserve(self, size_bytes: int, alignment: int = 32) -> int:
        """Offset of that many bytes of junk."""
        self.data += bytes([JUNK]) * (-len(self.data) % alignment)
        self.data += bytes([JUNK]) * size_bytes
        return len(self.data) - size_bytes

    def put(self, data: bytes, alignment: int = 32) -> int:
        """Offset of the data."""
        offset = self.reserve(len(data), alignment)
        self.data[offset : offset + len(data)] = data
        return offset


class _Builder:
    """One scenario on its way to bytes."""

    def __init__(self, spec: ScenarioSpec, seed: int) -> None:
        self.spec = spec
        self.rng = np.random.default_rng(seed)
        self.rooms = {memory: _Room() for memory in Memory}
        self.matrices: list[list[int]] = []
        self.engines: list[list[int]] = []
        self.jobs: list[list[int]] = []
        self.parts: dict[tuple[int, int], list[ClusterPart | EnginePart]] = {}
        self.ops: list[list[int]] = []
        self.calls: list[list[int]] = []
        self.expected: list[F32] = []

    def build(self) -> Scenario:
        rings = [*self._ring(self._tile_bytes(), Memory.L1, self.spec.tile_slots)]
        rings += self._ring(self._page_bytes(), Memory.SRAM, self.spec.page_slots)
        for index, op in enumerate(self.spec.ops):
            self._place(index, op)
        out = self._run()
        layers = [kind | row << 16 for kind, row in self.spec.layers]
        counts = [len(self.ops), len(layers), len(self.spec.tokens), self.spec.use]
        tables = [self.ops, [[word] for word in layers], self.matrices, self.engines, self.calls]
        tables.append(self.jobs)
        return Scenario(
            name=self.spec.name,
            header=[*rings, *counts],
            tables=[np.array(table, np.uint32).reshape(-1) for table in tables],
            memories=[bytes(self.rooms[memory].data) for memory in Memory],
            results=slice(out, out + sum(part.nbytes for part in self.expected)),
            expected=np.concatenate([part.reshape(-1) for part in self.expected]),
        )

    def _tile_bytes(self) -> int:
        sizes = [
            op.cluster.tile_bytes(min(op.tile_rows, op.cluster.rows), op.depth)
            for op in self.spec.ops
            if op.cluster is not None
        ]
        return max(sizes, default=0)

    def _page_bytes(self) -> int:
        sizes = [
            op.engine.page_bytes(min(op.slice_rows, op.engine.rows), op.depth)
            for op in self.spec.ops
            if op.engine is not None and Memory.L3 in op.engine_memories
        ]
        return max(sizes, default=0)

    def _ring(self, slot_bytes: int, memory: Memory, slots: int) -> list[int]:
        if slot_bytes == 0:
            return [memory, 0, 0]
        slot_bytes = aligned(slot_bytes) - self.spec.slot_shortage
        return [memory | slots << 8, self.rooms[memory].reserve(slots * slot_bytes), slot_bytes]

    def _place(self, index: int, op: OpSpec) -> None:
        """Weights of each layer of the op's kind."""
        starts = [len(self.matrices), len(self.engines)]
        for row in range(max(len(op.engine_memories), len(op.cluster_memories))):
            parts = self.parts.setdefault((index, row), [])
            if op.engine is not None:
                engine = op.engine.filled(self.rng, op.depth)
                self.engines.append(self._place_engine(op, engine, op.engine_memories[row]))
                parts.append(engine)
            if op.cluster is not None:
                cluster = op.cluster.filled(self.rng, op.depth)
                memory = op.cluster_memories[row]
                offset = self.rooms[memory].put(cluster.packed())
                self.matrices.append(cluster.place_words(memory, offset))
                parts.append(cluster)
        largest = max(self.spec.tokens)
        src = self.rooms[Memory.L1].reserve(_rows_bytes(largest, op.depth), 4)
        numbers = [op.rows, op.depth, op.tile_rows, op.slice_rows, op.block_rows, op.sums_bytes]
        self.ops.append(
            [
                op.kind,
                NO_OFFSET if op.cluster is None else starts[0],
                NO_OFFSET if op.engine is None else starts[1],
                *numbers,
                op.input_bytes,
                src,
                self.rooms[Memory.L1].reserve(op.scratch_bytes, 4),
            ]
        )

    def _place_engine(self, op: OpSpec, part: EnginePart, memory: Memory) -> list[int]:
        offset = self.rooms[memory].put(part.words())
        home = memory if memory is Memory.L3 else Memory(self.rng.choice([Memory.L1, Memory.L2]))
        channels = self.rooms[home].put(part.channels(), 4)
        return part.place_words(memory, offset, home, channels, self._prepare(op, part, memory))

    def _prepare(self, op: OpSpec, part: EnginePart, memory: Memory) -> tuple[int, int]:
        """Numbers of the jobs of one token, for about half of the parts that may have them."""
        if memory is Memory.L3 or part.group or part.is_unsigned or len(self.engines) % 2:
            return 0, 0
        most = min(op.block_rows, part.rows)
        rows = most if 4 * most <= op.sums_bytes else op.sums_bytes // 128 * 32
        rest = part.rows % rows
        numbers = []
        for count in (rows, rest) if rest else (rows,):
            job = one_token_job(part.rows_on_engine(op.depth), count)
            self.jobs.append([count, *job.registers])
            numbers.append(len(self.jobs))
        assert len(self.jobs) <= JOBS_MAX
        return numbers[0], numbers[1] if rest else 0

    def _run(self) -> int:
        """All calls; returns where the results start."""
        residuals: list[F32 | None] = []
        for tokens in self.spec.tokens:
            for kind, row in self.spec.layers:
                for index, op in enumerate(self.spec.ops):
                    if op.kind == kind:
                        residuals.append(self._call(op, self.parts[index, row], tokens))
        start = self.rooms[Memory.L2].reserve(sum(part.nbytes for part in self.expected))
        at = start
        for call, residual, expected in zip(self.calls, residuals, self.expected, strict=True):
            call[-1] = at
            if residual is not None:
                call[-2] = at
                self.rooms[Memory.L2].data[at : at + residual.nbytes] = residual.tobytes()
            at += expected.nbytes
        return start

    def _call(self, op: OpSpec, parts: list[ClusterPart | EnginePart], tokens: int) -> F32 | None:
        """Note a call and its results; returns the residual if it must lie where they will."""
        codes, scales = random_rows(self.rng, tokens, op.depth)
        padding = bytes(-codes.nbytes % 4)
        src = codes.tobytes() + padding + scales.tobytes() + code_sums(codes).tobytes()
        residual = normal(self.rng, tokens, op.rows) if self.spec.residual else None
        columns, first = [], 0
        for part in parts:
            own = None if residual is None else residual[:, first : first + part.rows]
            columns.append(part.apply(codes, scales, own))
            first += part.rows
        self.expected.append(np.ascontiguousarray(np.concatenate(columns, axis=1)))
        room = self.rooms[Memory.L2]
        is_apart = residual is not None and self.spec.residual is Residual.APART
        offset = room.put(residual.tobytes(), 4) if is_apart and residual is not None else NO_OFFSET
        self.calls.append([tokens, room.put(src, 4), len(src), offset, 0])
        return None if is_apart else residual


def build_scenario(spec: ScenarioSpec, seed: int) -> Scenario:
    """The scenario with random weights and inputs."""
    return _Builder(spec, seed).build()


def _rows_bytes(tokens: int, depth: int) -> int:
    """What art_rows_at takes."""
    return -(-tokens * depth // 4) * 4 + 4 * tokens * (1 + -(-depth // 32))


def write_blob(scenarios: Sequence[Scenario]) -> tuple[bytearray, list[list[int]]]:
    """The scenarios as struct scenario, and where the memories of each lie."""
    blob = bytearray()
    places = []
    for index, scenario in enumerate(scenarios):
        start = len(blob)
        blob += bytes(4 * HEADER_WORDS)
        table_offsets = [_append(blob, table.tobytes()) for table in scenario.tables]
        memory_offsets = [_append(blob, data) for data in scenario.memories]
        blob += bytes(-len(blob) % BLOB_ALIGN)
        is_last = index + 1 == len(scenarios)
        spans = zip(memory_offsets, map(len, scenario.memories), strict=True)
        words = [
            *(0 if is_last else len(blob), scenario.header[-1]),
            *(word for span in spans for word in span),
            *scenario.header[:-1],
            *table_offsets,
            scenario.tables[-1].size // JOB_WORDS,
            *(scenario.results.start, scenario.results.stop - scenario.results.start),
        ]
        assert len(words) == HEADER_WORDS
        blob[start : start + 4 * HEADER_WORDS] = np.array(words, np.uint32).tobytes()
        places.append(memory_offsets)
    return blob, places


def _append(blob: bytearray, data: bytes) -> int:
    blob += bytes(-len(blob) % BLOB_ALIGN)
    blob += data
    return len(blob) - len(data)
