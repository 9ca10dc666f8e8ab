"""What N-EUREKA computes for a register image, bit for bit, over byte arrays.

The order of the loops is the engine's: output channel tiles, rows and columns of 6 x 6 output
pixels, input channel tiles. Weights are taken apart straight from the words. Left out, and refused:
padding, stream-in, filter mask, stride 2, shifts per channel, 16-bit data.

Source: gvsoc/gvsoc-pulp pulp/neureka/src/neureka_{fsm,load,matrixvec,normquant,streamout}.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aretusa.neureka import registers as fields
from aretusa.neureka.check import JobError
from aretusa.neureka.registers import L1_ADDRESS_MASK, Mode, Register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    I64 = NDArray[np.int64]
    U8 = NDArray[np.uint8]

WORD_BYTES: Final = 32
CHANNELS: Final = {Mode.DENSE_3X3: 28, Mode.DEPTHWISE_3X3: 28, Mode.DENSE_1X1: 32}
RELU_RANGE: Final = (0, 255)
SIGNED_RANGE: Final = (-128, 127)


@dataclass(frozen=True, slots=True)
class Memories:
    """The bytes that the engine reaches: L1 is written, the weight memory is one run of bytes."""

    l1: U8
    weight_memory: U8


@dataclass(frozen=True, slots=True)
class _Config:
    """CONFIG, taken apart."""

    word: int

    def bit(self, position: int) -> bool:
        return bool(self.word >> position & 1)

    def field(self, shift: int, width: int) -> int:
        return self.word >> shift & ((1 << width) - 1)

    @property
    def mode(self) -> Mode:
        return Mode(self.field(fields.MODE_SHIFT, 2))

    @property
    def bits(self) -> int:
        return self.field(0, 3) + 1

    @property
    def output_bytes(self) -> int:
        return 4 if self.field(fields.OUTPUT_WIDTH_SHIFT, 2) == fields.WIDTH_32 else 1

    @property
    def scale_bytes(self) -> int:
        return 4 if self.field(fields.SCALE_WIDTH_SHIFT, 2) == fields.WIDTH_32 else 1


@dataclass(frozen=True, slots=True)
class _Tiles:
    """Tiles of one dimension: `count` of `size`, the last one being `last` long."""

    count: int
    size: int
    last: int

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Number and length of each."""
        for index in range(self.count):
            yield index, self.last if index == self.count - 1 else self.size


class Job:
    """A register image, decoded, with the memories that it works on."""

    def __init__(self, registers: NDArray[np.uint32], memories: Memories) -> None:
        self.value = {register: int(registers[register]) for register in Register}
        self.config = _Config(self.value[Register.CONFIG])
        self.memories = memories
        self.channels = CHANNELS[self.config.mode]
        is_depthwise = self.config.mode is Mode.DEPTHWISE_3X3
        self.out_size = self.channels if is_depthwise else fields.TILE_CHANNELS
        self.out_tiles, self.in_tiles = self._tiles(
            Register.CHANNEL_TILES, Register.LAST_CHANNELS, (self.out_size, self.channels)
        )
        self.row_tiles, self.col_tiles = self._tiles(
            Register.PIXEL_TILES, Register.LAST_OUTPUT, (fields.TILE_ROWS, fields.TILE_COLS)
        )
        self._refuse_what_is_left_out()

    def _tiles(
        self, counts: Register, lasts: Register, sizes: tuple[int, int]
    ) -> tuple[_Tiles, _Tiles]:
        count, last = self.value[counts], self.value[lasts]
        return (
            _Tiles(count >> 16, sizes[0], last >> 16),
            _Tiles(count & 0xFFFF, sizes[1], last & 0xFFFF),
        )

    def _refuse_what_is_left_out(self) -> None:
        unfinished = (3, 7, 8, 11, fields.STREAM_IN_BIT, fields.CHANNEL_SHIFT_BIT)
        refused = [bit for bit in unfinished if self.config.bit(bit)]
        if refused or self.value[Register.PADDING] >> 16 or self.value[Register.FILTER_MASK]:
            raise JobError(f"CONFIG bits {refused}, padding or filter mask")

    def run(self) -> None:
        """Compute and write all outputs."""
        for out_tile, out_count in self.out_tiles:
            for row_tile, rows in self.row_tiles:
                for col_tile, cols in self.col_tiles:
                    sums = self._sums(out_tile, out_count, (row_tile, rows), (col_tile, cols))
                    self._write(sums, out_tile, row_tile, col_tile)

    def _sums(
        self, out_tile: int, out_count: int, row: tuple[int, int], col: tuple[int, int]
    ) -> I64:
        """Accumulators [rows, cols, out_count] of one output tile."""
        if self.config.mode is Mode.DEPTHWISE_3X3:
            windows = self._windows(out_tile, out_count, row, col)
            weights = self._weights(out_tile, 0, 1)[0, :, :out_count]
            products: I64 = (windows * weights).sum(axis=2)
            return products
        total = np.zeros((row[1], col[1], out_count), np.int64)
        for in_tile, in_count in self.in_tiles:
            windows = self._windows(in_tile, in_count, row, col)
            weights = self._weights(out_tile, in_tile, out_count)[:, :, :in_count]
            total += np.tensordot(windows, weights, axes=([2, 3], [1, 2]))
        return total

    def _windows(
        self, in_tile: int, in_count: int, row: tuple[int, int], col: tuple[int, int]
    ) -> I64:
        """Inputs [rows, cols, tap, channel] of one input tile."""
        kernel = 1 if self.config.mode is Mode.DENSE_1X1 else 3
        first = (
            self.value[Register.INPUT]
            + row[0] * fields.TILE_ROWS * self.value[Register.INPUT_ROW_STRIDE]
            + col[0] * fields.TILE_COLS * self.value[Register.INPUT_PIXEL_STRIDE]
            + in_tile * self.channels
        )
        rows = np.arange(row[1] + kernel - 1)[:, None, None]
        cols = np.arange(col[1] + kernel - 1)[:, None]
        at = (
            first
            + rows * self.value[Register.INPUT_ROW_STRIDE]
            + cols * self.value[Register.INPUT_PIXEL_STRIDE]
            + np.arange(in_count)
        )
        pixels = self.memories.l1[at & L1_ADDRESS_MASK]
        is_signed = self.config.bit(fields.SIGNED_INPUT_BIT)
        image = (pixels.view(np.int8) if is_signed else pixels).astype(np.int64)
        taps = [image[r : r + row[1], s : s + col[1]] for r in range(kernel) for s in range(kernel)]
        return np.stack(taps, axis=2)

    def _weights(self, out_tile: int, in_tile: int, out_count: int) -> I64:
        """Weights [out_count, tap, channel] of one input tile."""
        words = 1 if self.config.mode is Mode.DENSE_1X1 else self.config.bits
        is_depthwise = self.config.mode is Mode.DEPTHWISE_3X3
        channel_tiles = 1 if is_depthwise else fields.TILE_CHANNELS * self.in_tiles.count
        address = (
            self.value[Register.WEIGHTS]
            + (out_tile * channel_tiles + in_tile) * words * WORD_BYTES
            + np.arange(out_count)[:, None] * self.value[Register.WEIGHT_CHANNEL_STRIDE]
            + np.arange(words) * self.value[Register.WEIGHT_WORD_STRIDE]
        )
        planes = self._words(address)
        stored = _planes_1x1(planes, self.config.bits) if words == 1 else _planes_3x3(planes)
        return stored + np.int64(_as_signed(self.value[Register.WEIGHT_OFFSET]))

    def _words(self, address: I64) -> I64:
        """The 256 bits of each word, lowest first: a last axis more than the addresses have."""
        at = address[..., None] + np.arange(WORD_BYTES)
        if self.config.bit(fields.WEIGHT_MEMORY_BIT):
            words = self.memories.weight_memory[at]
        else:
            words = self.memories.l1[at & L1_ADDRESS_MASK]
        return np.unpackbits(words, axis=-1, bitorder="little").astype(np.int64)

    def _write(self, sums: I64, out_tile: int, row_tile: int, col_tile: int) -> None:
        results = self._normalise(sums, out_tile) if self.config.bit(fields.NORMALISE_BIT) else sums
        size = self.config.output_bytes
        data = results.astype(np.int32).astype(np.dtype("<i4"))[..., None].view(np.uint8)
        rows, cols, channels = results.shape
        at = (
            self.value[Register.OUTPUT]
            + (row_tile * fields.TILE_ROWS + np.arange(rows))[:, None, None]
            * self.value[Register.OUTPUT_ROW_STRIDE]
            + (col_tile * fields.TILE_COLS + np.arange(cols))[:, None]
            * self.value[Register.OUTPUT_PIXEL_STRIDE]
            + out_tile * self.out_size * size
            + np.arange(channels * size)
        )
        self.memories.l1[at & L1_ADDRESS_MASK] = data[..., :size].reshape(at.shape)

    def _normalise(self, sums: I64, out_tile: int) -> I64:
        """clip((sum * scale + bias) >> shift), without rounding."""
        first, count = out_tile * self.out_size, sums.shape[2]
        scaled = sums * self._array(Register.SCALE, first, count, self.config.scale_bytes)
        if self.config.bit(fields.BIAS_BIT):
            scaled = scaled + self._array(Register.BIAS, first, count, 4).astype(np.int32)
        shifted = scaled >> self.config.field(fields.RIGHT_SHIFT_SHIFT, 5)
        is_relu = not self.config.bit(fields.NO_RELU_BIT)
        if self.config.output_bytes == 1:
            return np.clip(shifted, *(RELU_RANGE if is_relu else SIGNED_RANGE))
        return np.maximum(shifted, 0) if is_relu else shifted

    def _array(self, pointer: Register, first: int, count: int, size: int) -> I64:
        """Unsigned elements first .. first + count - 1 of an array in L1."""
        at = self.value[pointer] + size * first + np.arange(size * count)
        data = self.memories.l1[at & L1_ADDRESS_MASK]
        elements: I64 = data.view(np.dtype(f"<u{size}")).astype(np.int64)
        return elements


def run_job(registers: NDArray[np.uint32], memories: Memories) -> None:
    """Run one job to its end; outputs land in `memories.l1`."""
    Job(registers, memories).run()


def _planes_3x3(planes: I64) -> I64:
    """[out, bit, 256] -> codes [out, tap, channel]; tap t, channel c is bit 28 * t + c."""
    shifts = np.arange(planes.shape[1])[:, None]
    codes: I64 = (planes[:, :, :252] << shifts).sum(axis=1).reshape(-1, 9, 28)
    return codes


def _planes_1x1(words: I64, bits: int) -> I64:
    """[out, 1, 256] -> codes [out, 1, 32]; eight groups of eight planes of four channels."""
    planes = words.reshape(-1, 8, 8, 4)[:, :, :bits]
    codes: I64 = (planes << np.arange(bits)[:, None]).sum(axis=2).reshape(-1, 1, 32)
    return codes


def _as_signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word
