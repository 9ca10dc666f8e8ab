"""Calls of the embedding kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from cache_cases import Contents, Memory
from kernel_cases import Case, Kernel, junk

from aretusa.ir.types import DenseType
from aretusa.memory.engine_pieces import EnginePiece
from aretusa.memory.matrix_parts import matrix_parts
from aretusa.memory.scratch import embed_scratch_bytes
from aretusa.neureka.linear import Engine, pack_for
from aretusa.quantization.layout import pack_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aretusa.quantization.schemes import QuantisedMatrix

    F32 = NDArray[np.float32]
    I8 = NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRows:
    """The first rows of an embedding table, in N-EUREKA's layout."""

    codes: I8  # [rows, depth]
    scales: F32
    bits: int
    engine: Engine
    home: Memory
    channels_home: Memory

    @property
    def piece(self) -> EnginePiece:
        """What the planner knows of them."""
        rows, depth = self.codes.shape
        return EnginePiece(
            weight="table",
            engine=self.engine,
            rows=rows,
            depth=depth,
            bits=self.bits,
            has_bias=False,
        )

    def place(self, contents: Contents) -> list[int]:
        """The parameters that become a struct art_engine_place."""
        words = contents.put(self.home, pack_for(self.engine, self.codes, self.bits))
        channels = contents.put(self.channels_home, self.scales)
        head = [int(self.engine.mode), self.bits, self.home, words]
        return [*head, self.codes.shape[0], self.channels_home, channels]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRows:
    """The rows after those, in the packed layout."""

    matrix: QuantisedMatrix
    home: Memory

    def place(self, contents: Contents) -> list[int]:
        """The parameters that become a struct art_matrix_place."""
        packed = pack_matrix(self.matrix)
        parts = matrix_parts(DenseType.of(self.matrix), has_bias=False)
        content = junk((parts.size_bytes,), np.uint8)
        for offset, array in (
            (0, packed.codes),
            (parts.scales_offset, packed.scales),
            (parts.minimums_offset, packed.minimums),
        ):
            if array is not None:
                content[offset : offset + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
        offset = contents.put(self.home, content)
        head = [self.home, offset, packed.form, packed.zero, int(packed.minimums is not None)]
        return [*head, packed.group, packed.rows]


def embed_case(first: EngineRows | None, rest: BlockRows | None, tokens: Sequence[int]) -> Case:
    """art_embed_planned and art_embed_scratch_bytes."""
    contents = Contents()
    places = [0] * 7 if first is None else first.place(contents)
    places += [0] * 7 if rest is None else rest.place(contents)
    rows: list[F32] = []
    if first is not None:
        rows.append(first.codes.astype(np.float32) * first.scales[:, None])
    if rest is not None:
        rows.append(rest.matrix.dequantise())
    table = np.concatenate(rows)
    size_bytes = embed_scratch_bytes(
        None if first is None else first.piece,
        None if rest is None else DenseType.of(rest.matrix),
        tokens=len(tokens),
    )
    scratch = contents.scratch(size_bytes)
    ids = np.array(tokens, np.int32)
    out = table[ids]
    return Case(
        name=f"embed {len(ids)} of {table.shape}: {first and first.piece}, "
        f"{rest and DenseType.of(rest.matrix)}",
        kernel=Kernel.EMBED,
        params=[table.shape[1], len(ids), scratch, *places],
        arrays=[ids, junk(out.shape, np.float32), junk((1,), np.uint32), *contents.arrays()],
        expected={1: out, 2: np.array([size_bytes], np.uint32)},
        memories=contents.numbers(3),
    )
