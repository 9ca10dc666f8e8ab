"""What one N-EUREKA job computes, and the register image that makes the engine compute it.

A dense layer reaches the engine in one of two ways. As a 3x3 kernel: the 9 * C inputs of a token
are an image of 3 x 3 pixels with C channels, and the one output pixel is the product with the whole
matrix. Several tokens lie side by side in one image; the engine then also computes the windows that
straddle two tokens, and those results are never read. As a 1x1 kernel: tokens are pixels.

The C twin of `job_registers` is art_neureka_job() in runtime/src/neureka/job.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aretusa.neureka.layout import (
    CHANNELS_1X1,
    CHANNELS_3X3,
    WORD_BYTES,
    gemv_3x3_channels,
    packed_1x1_bytes,
    packed_3x3_bytes,
    tiles,
    weight_offset,
)
from aretusa.neureka.registers import (
    KERNEL_BORDER,
    LAYER_OFFSET_BIT,
    MODE_SHIFT,
    NO_RELU_BIT,
    OUTPUT_WIDTH_SHIFT,
    PREFETCH_BIT,
    REGISTERS,
    SIGNED_INPUT_BIT,
    TILE_CHANNELS,
    TILE_COLS,
    TILE_ROWS,
    WEIGHT_MEMORY_BIT,
    WIDTH_32,
    WRITE_BYTES,
    Mode,
    Register,
    WeightSource,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    I8 = NDArray[np.int8]
    I32 = NDArray[np.int32]
    U32 = NDArray[np.uint32]

ACCUMULATOR_BYTES: Final = 4
TOKEN_PIXELS: Final = 3  # rows and columns of a token in a 3x3 image
UNSIGNED_ZERO: Final = 128  # code of 0 where the engine reads inputs as unsigned


@dataclass(frozen=True, slots=True, kw_only=True)
class JobShape:
    """A job but for its addresses: a convolution without padding whose results are 32-bit sums.

    Inputs and outputs are [row][pixel][channel], strides in bytes are free, channels contiguous.
    """

    mode: Mode
    bits: int
    out_channels: int
    in_channels: int
    out_rows: int
    out_cols: int
    in_pixel_bytes: int
    in_row_bytes: int
    out_pixel_bytes: int
    out_row_bytes: int
    source: WeightSource = WeightSource.WEIGHT_MEMORY
    is_signed: bool = True  # inputs are int8; else uint8
    has_prefetch: bool = False
    from_zero: bool = False  # a stored code is the weight; else the weight + 2**(bits - 1)

    def __post_init__(self) -> None:
        """A job that the chip may not be given is a bug of the compiler."""
        assert self.mode is not Mode.DEPTHWISE_3X3, "no layer of ours is depthwise"
        assert not (self.has_prefetch and self.source is WeightSource.L1), (
            "prefetch with weights in L1 hangs the engine (RTL of pulp-platform/neureka 60bcc79)"
        )

    @property
    def weights_bytes(self) -> int:
        """Bytes of the packed kernel."""
        if self.mode is Mode.DENSE_1X1:
            return packed_1x1_bytes(self.out_channels, self.in_channels)
        return packed_3x3_bytes(self.out_channels, self.in_channels, self.bits)

    @property
    def input_bytes(self) -> int:
        """From the first byte of the input to the end of its last pixel."""
        border = 0 if self.mode is Mode.DENSE_1X1 else KERNEL_BORDER
        rows, cols = self.out_rows + border, self.out_cols + border
        last_pixel = (rows - 1) * self.in_row_bytes + (cols - 1) * self.in_pixel_bytes
        return last_pixel + self.in_channels

    @property
    def output_bytes(self) -> int:
        """From the first byte written to the end of the last pixel, unread results included."""
        last_row = (self.out_rows - 1) * self.out_row_bytes
        last_pixel = last_row + (self.out_cols - 1) * self.out_pixel_bytes
        return last_pixel + ACCUMULATOR_BYTES * self.out_channels


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGrid:
    """Tokens of one 3x3 job, `rows` x `cols` of them in one image of 3 * rows x 3 * cols pixels.

    Pixel (r, s) of token (i, j) is pixel (3 * i + r, 3 * j + s) of the image, so with cols == 1
    tokens are contiguous vectors, one after the other.
    """

    rows: int = 1
    cols: int = 1

    @property
    def tokens(self) -> int:
        """How many tokens one job takes."""
        return self.rows * self.cols

    def image(self, tokens: I8, channels: int) -> I8:
        """Vectors [rows * cols, depth] as the image [3 * rows, 3 * cols, channels]."""
        padded = np.zeros((self.tokens, TOKEN_PIXELS**2 * channels), tokens.dtype)
        padded[:, : tokens.shape[1]] = tokens
        shape = (self.rows, self.cols, TOKEN_PIXELS, TOKEN_PIXELS, channels)
        image = padded.reshape(shape).transpose(0, 2, 1, 3, 4)
        return image.reshape(TOKEN_PIXELS * self.rows, TOKEN_PIXELS * self.cols, channels)

    def results(self, outputs: I32) -> I32:
        """The sums [token, channel] among the outputs [out_rows, out_cols, channel]."""
        wanted = outputs[::TOKEN_PIXELS, ::TOKEN_PIXELS]
        return wanted.reshape(self.tokens, -1)


ONE_TOKEN: Final = TokenGrid()


def gemv_3x3(
    rows: int,
    depth: int,
    bits: int,
    grid: TokenGrid = ONE_TOKEN,
    *,
    source: WeightSource = WeightSource.WEIGHT_MEMORY,
    is_signed: bool = True,
    has_prefetch: bool = False,
) -> JobShape:
    """A matrix packed by `pack_gemv_3x3` times the tokens of a grid.

    Output pixel (3 * i, 3 * j) holds the sums of token (i, j); the others are scratch.
    """
    channels = gemv_3x3_channels(depth)
    image_cols = TOKEN_PIXELS * grid.cols
    out_cols = image_cols - KERNEL_BORDER
    return JobShape(
        mode=Mode.DENSE_3X3,
        bits=bits,
        out_channels=rows,
        in_channels=channels,
        out_rows=TOKEN_PIXELS * grid.rows - KERNEL_BORDER,
        out_cols=out_cols,
        in_pixel_bytes=channels,
        in_row_bytes=image_cols * channels,
        out_pixel_bytes=ACCUMULATOR_BYTES * rows,
        out_row_bytes=ACCUMULATOR_BYTES * rows * out_cols,
        source=source,
        is_signed=is_signed,
        has_prefetch=has_prefetch,
    )


def linear_1x1(
    rows: int,
    depth: int,
    bits: int,
    tokens: int,
    *,
    source: WeightSource = WeightSource.WEIGHT_MEMORY,
    is_signed: bool = True,
    has_prefetch: bool = False,
    token_bytes: int | None = None,
) -> JobShape:
    """A matrix packed by `pack_1x1` times tokens [tokens][depth], `token_bytes` apart."""
    out_rows, out_cols = factorise(tokens)
    pixel = depth if token_bytes is None else token_bytes
    return JobShape(
        mode=Mode.DENSE_1X1,
        bits=bits,
        out_channels=rows,
        in_channels=depth,
        out_rows=out_rows,
        out_cols=out_cols,
        in_pixel_bytes=pixel,
        in_row_bytes=pixel * out_cols,
        out_pixel_bytes=ACCUMULATOR_BYTES * rows,
        out_row_bytes=ACCUMULATOR_BYTES * rows * out_cols,
        source=source,
        is_signed=is_signed,
        has_prefetch=has_prefetch,
    )


def factorise(tokens: int) -> tuple[int, int]:
    """(rows, columns) of that product with the fewest 6x6 tiles, and of those the fewest rows.

    Writing a tile costs as many beats for a row that is not full as for one that is.
    """
    pairs = [(rows, tokens // rows) for rows in range(1, tokens + 1) if tokens % rows == 0]
    return min(pairs, key=lambda p: (tiles(p[0], TILE_ROWS) * tiles(p[1], TILE_COLS), p[0]))


def unsigned_input_correction(matrix: I8) -> I32:
    """What the sums of each row are too large by if inputs are given as unsigned code + 128."""
    sums: I32 = matrix.sum(axis=1, dtype=np.int32)
    return sums * np.int32(UNSIGNED_ZERO)


def job_registers(shape: JobShape, *, weights: int, inputs: int, outputs: int) -> U32:
    """The image of the 24 job registers.

    `weights` is an offset in the weight memory or an address in L1, as the shape's source says.
    """
    is_1x1 = shape.mode is Mode.DENSE_1X1
    tile = CHANNELS_1X1 if is_1x1 else CHANNELS_3X3
    words = 1 if is_1x1 else shape.bits  # that follow each other for one output channel and tile
    in_tiles = tiles(shape.in_channels, tile)
    border = 0 if is_1x1 else KERNEL_BORDER
    last_rows = _last(shape.out_rows, TILE_ROWS)
    last_cols = _last(shape.out_cols, TILE_COLS)
    values = {
        Register.WEIGHTS: weights,
        Register.INPUT: inputs,
        Register.OUTPUT: outputs,
        Register.INPUT_PIXEL_STRIDE: shape.in_pixel_bytes,
        Register.INPUT_ROW_STRIDE: shape.in_row_bytes,
        Register.OUTPUT_BEAT_STRIDE: WRITE_BYTES,
        Register.OUTPUT_PIXEL_STRIDE: shape.out_pixel_bytes,
        Register.OUTPUT_ROW_STRIDE: shape.out_row_bytes,
        Register.WEIGHT_WORD_STRIDE: WORD_BYTES,
        Register.WEIGHT_CHANNEL_STRIDE: WORD_BYTES * words * in_tiles,
        Register.LAST_CHANNELS: _halves(
            _last(shape.out_channels, TILE_CHANNELS), _last(shape.in_channels, tile)
        ),
        Register.LAST_OUTPUT: _halves(last_rows, last_cols),
        Register.LAST_INPUT: _halves(last_rows + border, last_cols + border),
        Register.CHANNEL_TILES: _halves(tiles(shape.out_channels, TILE_CHANNELS), in_tiles),
        Register.PIXEL_TILES: _halves(
            tiles(shape.out_rows, TILE_ROWS), tiles(shape.out_cols, TILE_COLS)
        ),
        Register.WEIGHT_OFFSET: weight_offset(shape.bits, from_zero=shape.from_zero),
        Register.CONFIG: _config(shape),
    }
    image = np.zeros(REGISTERS, np.uint32)
    for register, value in values.items():
        image[register] = value & 0xFFFF_FFFF
    return image


def _config(shape: JobShape) -> int:
    return (
        (shape.bits - 1)
        | shape.mode << MODE_SHIFT
        | shape.source << WEIGHT_MEMORY_BIT
        | shape.has_prefetch << PREFETCH_BIT
        | 1 << LAYER_OFFSET_BIT
        | WIDTH_32 << OUTPUT_WIDTH_SHIFT
        | 1 << NO_RELU_BIT
        | shape.is_signed << SIGNED_INPUT_BIT
    )


def _last(count: int, tile: int) -> int:
    """Size of the last tile, 1 .. tile."""
    return (count - 1) % tile + 1


def _halves(upper: int, lower: int) -> int:
    assert max(upper, lower) < 1 << 16, f"{upper}, {lower}: a count has 16 bits"
    return upper << 16 | lower
