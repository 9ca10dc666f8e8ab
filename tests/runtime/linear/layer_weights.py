"""The two parts of a linear layer: rows on N-EUREKA and rows on the cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from kernel_cases import normal, random_matrix

from aretusa.neureka.job import unsigned_input_correction
from aretusa.neureka.layout import pack_1x1, pack_gemv_3x3, packed_1x1_bytes, packed_gemv_3x3_bytes
from aretusa.neureka.registers import Mode
from aretusa.quantization.layout import PackedMatrix, pack_matrix
from aretusa.quantization.schemes import QuantisedMatrix
from aretusa.reference.linear import linear
from aretusa.trace.layouts import EngineRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    I8 = NDArray[np.int8]

ALIGN: Final = 32
BLOCK_ROWS: Final = 8
TOKENS_1X1: Final = 36


def aligned(size_bytes: int) -> int:
    """Rounded up to where the next part may start."""
    return -(-size_bytes // ALIGN) * ALIGN


def _arrays(packed: PackedMatrix) -> list[NDArray[np.generic]]:
    parts = (packed.codes, packed.scales, packed.minimums, packed.bias)
    return [part for part in parts if part is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPart:
    """Rows in the packed layout; `form` is width, group, and whether there are minimums."""

    rows: int
    form: tuple[int, int, bool]
    has_bias: bool
    matrix: QuantisedMatrix | None = None
    bias: F32 | None = None

    def filled(self, rng: np.random.Generator, depth: int) -> ClusterPart:
        """With random weights."""
        width, group, minimums = self.form
        matrix = random_matrix(rng, (self.rows, depth), width, group, minimums=minimums)
        return replace(self, matrix=matrix, bias=normal(rng, self.rows) if self.has_bias else None)

    def packed(self) -> bytes:
        """The parts, each aligned."""
        assert self.matrix is not None
        data = b""
        for array in _arrays(pack_matrix(self.matrix, self.bias)):
            data = data.ljust(aligned(len(data)), b"\xa5") + array.tobytes()
        return data

    def tile_bytes(self, rows: int, depth: int) -> int:
        """Bytes of some of the rows."""
        some = replace(self, rows=rows).filled(np.random.default_rng(0), depth)
        return len(some.packed())

    def place_words(self, memory: int, offset: int) -> list[int]:
        """struct art_matrix_place."""
        assert self.matrix is not None
        packed = pack_matrix(self.matrix, self.bias)
        parts = self.form[2] | self.has_bias << 1
        head = memory | packed.form << 8 | packed.zero << 16 | parts << 24
        return [head, packed.group, self.rows, packed.depth, offset]

    def apply(self, codes: I8, scales: F32, residual: F32 | None) -> F32:
        """The results."""
        assert self.matrix is not None
        return linear(self.matrix, codes, scales, self.bias, residual)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePart:
    """Rows in N-EUREKA's layout."""

    rows: int
    mode: Mode
    bits: int
    has_bias: bool
    is_unsigned: bool = False
    group: int = 0
    has_minimum: bool = False
    band_rows: int = 0
    codes: I8 | None = None  # [rows, depth]; without a sign where there are minimums
    scales: NDArray[np.floating] | None = None
    minimums: NDArray[np.float16] | None = None
    bias: F32 | None = None

    def filled(self, rng: np.random.Generator, depth: int) -> EnginePart:
        """With random weights, the lowest and highest code among them."""
        first = 0 if self.has_minimum else -(1 << (self.bits - 1))
        last = first + (1 << self.bits) - 1
        codes = rng.integers(first, last, (self.rows, depth), endpoint=True).astype(np.int8)
        codes.flat[0], codes.flat[-1] = first, last
        shape = (self.rows, len(self.columns(depth))) if self.group else (self.rows,)
        scales = rng.uniform(1e-4, 1e-2, shape).astype(np.float16 if self.group else np.float32)
        minimums = normal(rng, *shape).astype(np.float16) if self.has_minimum else None
        bias = normal(rng, self.rows) if self.has_bias else None
        return replace(self, codes=codes, scales=scales, minimums=minimums, bias=bias)

    def columns(self, depth: int) -> list[slice]:
        """The columns of each group."""
        length = self.group or depth
        return [slice(at, min(at + length, depth)) for at in range(0, depth, length)]

    def row_bytes(self, depth: int) -> int:
        """Codes of one row."""
        lengths = [columns.stop - columns.start for columns in self.columns(depth)]
        if self.mode is Mode.DENSE_1X1:
            return sum(packed_1x1_bytes(1, length) for length in lengths)
        return sum(packed_gemv_3x3_bytes(1, length, self.bits) for length in lengths)

    def page_bytes(self, rows: int, depth: int) -> int:
        """A page of some of the rows."""
        scales = 2 * rows * len(self.columns(depth)) if self.group else 4 * rows
        scales = -(-scales // 4) * 4 * (1 + self.has_minimum)
        arrays = 4 * rows * (self.has_bias + self.is_unsigned)
        return aligned(rows * self.row_bytes(depth)) + scales + arrays

    def words(self) -> bytes:
        """The codes: with groups the matrix of each group, one band of rows after the other."""
        assert self.codes is not None
        pack = pack_1x1 if self.mode is Mode.DENSE_1X1 else pack_gemv_3x3
        step = self.band_rows if self.group else self.rows
        return b"".join(
            pack(
                self.codes[row : row + step, columns], self.bits, from_zero=self.has_minimum
            ).tobytes()
            for row in range(0, self.rows, step)
            for columns in self.columns(self.codes.shape[1])
        )

    def channels(self) -> bytes:
        """Scales, minimums, bias, corrections."""
        assert self.codes is not None
        assert self.scales is not None
        data = self.scales.tobytes()
        data += bytes(-len(data) % 4)
        if self.minimums is not None:
            data += self.minimums.tobytes()
            data += bytes(-len(data) % 4)
        if self.bias is not None:
            data += self.bias.tobytes()
        if self.is_unsigned:
            data += (-unsigned_input_correction(self.codes)).tobytes()
        return data

    def rows_on_engine(self, depth: int) -> EngineRows:
        """What the compiler knows of them."""
        return EngineRows(
            rows=self.rows,
            depth=depth,
            bits=self.bits,
            is_1x1=self.mode is Mode.DENSE_1X1,
            has_bias=self.has_bias,
            is_unsigned=self.is_unsigned,
        )

    def place_words(
        self, memory: int, offset: int, home: int, channels: int, prepared: tuple[int, int]
    ) -> list[int]:
        """struct art_engine_place."""
        assert self.codes is not None
        flags = self.has_bias | self.is_unsigned << 1
        flags |= self.has_minimum << 2 | self.has_minimum << 3
        head = self.mode | self.bits << 8 | flags << 16 | memory << 24
        groups = self.group | self.band_rows << 16
        jobs = prepared[0] | prepared[1] << 16
        return [head, groups, self.rows, self.codes.shape[1], offset, home, channels, jobs]

    def apply(self, codes: I8, scales: F32, residual: F32 | None) -> F32:
        """The results."""
        assert self.codes is not None
        assert self.scales is not None
        matrix = QuantisedMatrix(
            codes=self.codes,
            scales=self.scales,
            minimums=self.minimums,
            bits=self.bits,
            group=self.group,
            zero=0,
        )
        return linear(matrix, codes, scales, self.bias, residual)

    def pixels(self, tokens: int) -> int:
        """Pixels of results of the largest group of a call."""
        if self.mode is Mode.DENSE_1X1:
            return min(tokens, TOKENS_1X1)
        return {1: 1, 2: 4}.get(tokens, 16)

    def input_bytes(self, tokens: int, depth: int) -> int:
        """One buffer of arranged inputs, for up to that many tokens."""
        if self.mode is Mode.DENSE_1X1:
            return depth * min(tokens, TOKENS_1X1) if self.is_unsigned else 0
        image = 9 * -(-min(depth, self.group or depth) // 9)
        if tokens == 1:
            return image if self.is_unsigned else 0
        return (2 if tokens == 2 else 4) * image
