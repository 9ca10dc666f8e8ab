"""The 24 job registers of N-EUREKA and the fields of the last one.

Source: pulp-platform/pulp-nnx neureka/hal/neureka_task_defs.h and neureka_task.c; gvsoc/gvsoc-pulp
pulp/neureka/src/neureka_regfile.cpp. The engine is the first version, the one on the Siracusa chip.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

REGISTERS: Final = 24
TILE_ROWS: Final = 6  # output pixels of a subtile, in each direction
TILE_COLS: Final = 6
TILE_CHANNELS: Final = 32  # output channels of a dense subtile; a depthwise one has 28
KERNEL_BORDER: Final = 2  # input pixels that a 3x3 kernel needs beyond the output's
WRITE_BYTES: Final = 32  # one beat to L1: eight 32-bit results
L1_ADDRESS_MASK: Final = 0x3FFFF  # the engine ignores the upper bits (neureka_stream.cpp)


class Register(IntEnum):
    """Number of each job register; its byte offset in the engine is 0x20 + 4 * number."""

    WEIGHTS = 0
    INPUT = 1
    OUTPUT = 2
    SCALE = 3
    SHIFT = 4
    BIAS = 5
    INPUT_PIXEL_STRIDE = 6
    INPUT_ROW_STRIDE = 7
    INPUT_STRIDE_2 = 8
    OUTPUT_BEAT_STRIDE = 9
    OUTPUT_PIXEL_STRIDE = 10
    OUTPUT_ROW_STRIDE = 11
    WEIGHT_WORD_STRIDE = 12
    WEIGHT_CHANNEL_STRIDE = 13
    WEIGHT_STRIDE_2 = 14
    LAST_CHANNELS = 15  # output channels << 16 | input channels of the last tiles
    LAST_OUTPUT = 16  # rows << 16 | columns of the last tiles
    LAST_INPUT = 17
    CHANNEL_TILES = 18
    PIXEL_TILES = 19
    PADDING = 20
    WEIGHT_OFFSET = 21
    FILTER_MASK = 22
    CONFIG = 23


class Mode(IntEnum):
    """What one job computes: bits 6:5 of CONFIG."""

    DENSE_3X3 = 0
    DEPTHWISE_3X3 = 1
    DENSE_1X1 = 2


class WeightSource(IntEnum):
    """Bit 9 of CONFIG."""

    L1 = 0
    WEIGHT_MEMORY = 1  # addresses are offsets from the first byte of its MRAM half


# Positions in CONFIG. Never set: 3 and 7 (16-bit and linear, unfinished), 8 (stride 2, unsupported
# by all software), 11 (rounding, sources disagree).
BITS_MASK: Final = 0x7  # bits of a weight - 1
NORMALISE_BIT: Final = 4
MODE_SHIFT: Final = 5
WEIGHT_MEMORY_BIT: Final = 9
PREFETCH_BIT: Final = 10
SCALE_WIDTH_SHIFT: Final = 12  # 0: 8 bits, 2: 32 bits
STREAM_IN_BIT: Final = 14
LAYER_OFFSET_BIT: Final = 15  # one weight offset for the whole layer
RIGHT_SHIFT_SHIFT: Final = 16
OUTPUT_WIDTH_SHIFT: Final = 21  # 0: 8 bits, 2: 32 bits
NO_RELU_BIT: Final = 23
CHANNEL_SHIFT_BIT: Final = 24
BIAS_BIT: Final = 25
SIGNED_INPUT_BIT: Final = 26
WIDTH_8: Final = 0
WIDTH_32: Final = 2
