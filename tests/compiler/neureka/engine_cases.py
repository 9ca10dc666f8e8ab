"""Layers for the engine: matrix, tokens, register image, memories, and the product to expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from hypothesis import strategies as st

from aretusa.neureka.check import Windows
from aretusa.neureka.job import (
    JobShape,
    TokenGrid,
    gemv_3x3,
    job_registers,
    linear_1x1,
    unsigned_input_correction,
)
from aretusa.neureka.layout import pack_1x1, pack_gemv_3x3
from aretusa.neureka.model import Memories
from aretusa.neureka.registers import WeightSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

JUNK: Final = 0xA5  # what memory holds where nothing was put
L1_BASE: Final = 0x1000_0000  # pointers may have it; the engine ignores the upper bits
CHIP: Final = Windows(l1_bytes=1 << 18, mram_bytes=1 << 22, sram_bytes=1 << 22)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCase:
    """One layer on the engine; `grid` is None in 1x1 mode."""

    matrix: NDArray[np.int8]
    tokens: NDArray[np.int8]
    shape: JobShape
    grid: TokenGrid | None
    weights_at: int
    inputs_at: int
    outputs_at: int
    registers: NDArray[np.uint32]
    words: Bytes

    @property
    def expected(self) -> NDArray[np.int64]:
        """The product that the layer stands for."""
        return self.tokens.astype(np.int64) @ self.matrix.T.astype(np.int64)

    def memories(self) -> Memories:
        """Fresh memories with weights and inputs in place, L1 as small as the job allows."""
        is_l1 = self.shape.source is WeightSource.L1
        end = self.outputs_at + self.shape.output_bytes + 64
        l1 = np.full(end + (self.words.size if is_l1 else 0), JUNK, np.uint8)
        image = self._image()
        l1[self.inputs_at : self.inputs_at + image.size] = image
        weight_memory = np.full(self.weights_at + self.words.size, JUNK, np.uint8)
        home = l1 if is_l1 else weight_memory
        home[self.weights_at : self.weights_at + self.words.size] = self.words
        return Memories(l1, weight_memory)

    def _image(self) -> Bytes:
        codes: NDArray[Any] = self.tokens
        if not self.shape.is_signed:
            codes = (codes.astype(np.int16) + 128).astype(np.uint8)
        if self.grid is not None:
            codes = self.grid.image(codes, self.shape.in_channels)
        return np.ascontiguousarray(codes).view(np.uint8).reshape(-1)

    def results(self, l1: Bytes) -> NDArray[np.int64]:
        """The layer's results in L1, corrected for unsigned inputs."""
        shape = self.shape
        outputs = l1[self.outputs_at : self.outputs_at + shape.output_bytes].view(np.int32)
        pixels = outputs.reshape(shape.out_rows, shape.out_cols, shape.out_channels)
        if self.grid is not None:
            sums = self.grid.results(pixels)
        else:
            sums = pixels.reshape(-1, shape.out_channels)
        correction = 0 if shape.is_signed else unsigned_input_correction(self.matrix)
        return sums.astype(np.int64) - correction


def layer_case(shape: JobShape, depth: int, grid: TokenGrid | None, seed: int) -> LayerCase:
    """A layer with random codes, its lowest and highest ones among them."""
    rng = np.random.default_rng(seed)
    offset = 1 << (shape.bits - 1)
    matrix = rng.integers(-offset, offset, (shape.out_channels, depth)).astype(np.int8)
    matrix.flat[0], matrix.flat[-1] = -offset, offset - 1
    tokens = shape.out_rows * shape.out_cols if grid is None else grid.tokens
    codes = rng.integers(-128, 128, (tokens, depth)).astype(np.int8)
    codes.flat[0], codes.flat[-1] = -128, 127
    pack = pack_1x1 if grid is None else pack_gemv_3x3
    words = pack(matrix, shape.bits).reshape(-1)
    inputs_at = int(rng.integers(0, 64))
    outputs_at = (inputs_at + shape.input_bytes + 3 & ~3) + 4 * int(rng.integers(0, 8))
    weights_at = 32 * int(rng.integers(0, 4))
    if shape.source is WeightSource.L1:
        weights_at = outputs_at + shape.output_bytes + 31 & ~31
    registers = job_registers(
        shape, weights=weights_at, inputs=L1_BASE + inputs_at, outputs=L1_BASE + outputs_at
    )
    return LayerCase(
        matrix=matrix,
        tokens=codes,
        shape=shape,
        grid=grid,
        weights_at=weights_at,
        inputs_at=inputs_at,
        outputs_at=outputs_at,
        registers=registers,
        words=words,
    )


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Weight source, prefetch and signedness."""
    source = draw(st.sampled_from(WeightSource))
    return {
        "source": source,
        "has_prefetch": source is WeightSource.WEIGHT_MEMORY and draw(st.booleans()),
        "is_signed": draw(st.booleans()),
    }


@st.composite
def gemv_cases(draw: st.DrawFn) -> LayerCase:
    """Matrix-vector products in 3x3 mode, one or more tokens to a job."""
    rows = draw(st.integers(1, 70))
    depth = draw(st.integers(1, 800))
    bits = draw(st.integers(2, 8))
    grid = TokenGrid(rows=draw(st.integers(1, 3)), cols=draw(st.integers(1, 3)))
    shape = gemv_3x3(rows, depth, bits, grid, **draw(options()))
    return layer_case(shape, depth, grid, draw(st.integers(0, 99)))


@st.composite
def linear_cases(draw: st.DrawFn) -> LayerCase:
    """Layers in 1x1 mode, tokens as pixels."""
    rows = draw(st.integers(1, 70))
    depth = draw(st.integers(1, 90))
    tokens = draw(st.integers(1, 40))
    shape = linear_1x1(rows, depth, draw(st.integers(2, 8)), tokens, **draw(options()))
    return layer_case(shape, depth, None, draw(st.integers(0, 99)))


def layer_cases() -> st.SearchStrategy[LayerCase]:
    """Layers in both modes."""
    return st.one_of(gemv_cases(), linear_cases())
