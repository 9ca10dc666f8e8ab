"""Does a register image stay inside its memories, and is it one that the chip may be given?

The checker decodes the image by itself and shares no arithmetic with the builder of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.neureka.registers import L1_ADDRESS_MASK, REGISTERS, Mode, Register, WeightSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALIGN_WEIGHTS: Final = 32
ALIGN_OUTPUTS: Final = 4
# CONFIG without weight bits, mode, weight source, prefetch and signedness: 32-bit results as they
# are, one weight offset for the layer.
FREE_CONFIG: Final = 0x0400_0667
FIXED_CONFIG: Final = 0x00C0_8000
UNUSED: Final = (
    Register.SCALE,
    Register.SHIFT,
    Register.BIAS,
    Register.INPUT_STRIDE_2,
    Register.WEIGHT_STRIDE_2,
    Register.PADDING,
    Register.FILTER_MASK,
)
STRIDES: Final = (
    Register.INPUT_PIXEL_STRIDE,
    Register.INPUT_ROW_STRIDE,
    Register.OUTPUT_PIXEL_STRIDE,
    Register.OUTPUT_ROW_STRIDE,
)


class JobError(Exception):
    """A register image that the engine must not be given; always a bug of the compiler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Sizes of the memories that the engine reaches."""

    l1_bytes: int
    mram_bytes: int  # the first half of the weight memory
    sram_bytes: int  # the second half, right behind


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccess:
    """The bytes that a job touches: offsets in L1; for weights in what `source` names."""

    source: WeightSource
    weights: range
    inputs: range
    outputs: range


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extent:
    """How much a job covers."""

    mode: Mode
    bits: int
    out_channels: int
    in_channels: int
    in_tiles: int
    out_rows: int
    out_cols: int


def check_job(registers: NDArray[np.uint32], windows: Windows) -> JobAccess:
    """The bytes that the job touches; raises JobError if the image is not one to run."""
    _require(len(registers) == REGISTERS, "an image has 24 registers")
    value = {register: int(registers[register]) for register in Register}
    extent = _extent(value)
    _check_constants(value, extent)
    source = WeightSource(value[Register.CONFIG] >> 9 & 1)
    used_inputs = _input_range(value, extent, extent.in_channels)
    inputs = _input_range(value, extent, _channels_read(extent))
    outputs = _output_range(value, extent)
    weights = _weight_range(value, extent, source)
    _check_l1(inputs, windows, "inputs")
    _check_l1(outputs, windows, "outputs")
    _require(not _overlap(used_inputs, outputs), "outputs lie on inputs")
    if source is WeightSource.L1:
        _check_l1(weights, windows, "weights")
        _require(not _overlap(weights, outputs), "outputs lie on weights")
    else:
        end = windows.mram_bytes + windows.sram_bytes
        _require(weights.stop <= end, "weights end behind the weight memory")
        is_in_one_half = not weights.start < windows.mram_bytes < weights.stop
        _require(is_in_one_half, "weights lie in both halves of the weight memory")
    return JobAccess(source=source, weights=weights, inputs=inputs, outputs=outputs)


def _extent(value: dict[Register, int]) -> _Extent:
    config = value[Register.CONFIG]
    _require(config & ~FREE_CONFIG == FIXED_CONFIG, f"configuration {config:#010x}")
    field = config >> 5 & 3
    _require(field in {0, 2}, "not a dense 3x3 or 1x1 job")
    _require(config >> 9 & 3 != 2, "prefetch with weights in L1")
    bits = (config & 7) + 1
    _require(bits >= 2, "one-bit weights")
    mode = Mode(field)
    out_tiles, in_tiles = _split(value[Register.CHANNEL_TILES])
    row_tiles, col_tiles = _split(value[Register.PIXEL_TILES])
    last_out, last_in = _split(value[Register.LAST_CHANNELS])
    last_rows, last_cols = _split(value[Register.LAST_OUTPUT])
    border = 2 if mode is Mode.DENSE_3X3 else 0
    tile = 28 if mode is Mode.DENSE_3X3 else 32
    _require(
        _split(value[Register.LAST_INPUT]) == (last_rows + border, last_cols + border),
        "input and output tiles do not match",
    )
    return _Extent(
        mode=mode,
        bits=bits,
        out_channels=_count(out_tiles, last_out, 32),
        in_channels=_count(in_tiles, last_in, tile),
        in_tiles=in_tiles,
        out_rows=_count(row_tiles, last_rows, 6),
        out_cols=_count(col_tiles, last_cols, 6),
    )


def _check_constants(value: dict[Register, int], extent: _Extent) -> None:
    for register in UNUSED:
        _require(value[register] == 0, f"{register.name} is {value[register]:#x}, not 0")
    for register in STRIDES:
        _require(value[register] >> 31 == 0, f"{register.name} is negative")
    _require(value[Register.OUTPUT_BEAT_STRIDE] == 32, "results are written 32 bytes at a time")
    _require(value[Register.WEIGHT_WORD_STRIDE] == 32, "a weight word has 32 bytes")
    _require(
        value[Register.WEIGHT_CHANNEL_STRIDE] == _channel_bytes(extent),
        "weights of the output channels do not follow each other",
    )
    offsets = {0, (1 << 32) - (1 << (extent.bits - 1))}
    why = "the weight offset is neither -2**(bits - 1) nor 0"
    _require(value[Register.WEIGHT_OFFSET] in offsets, why)
    _check_outputs_apart(value, extent)


def _check_outputs_apart(value: dict[Register, int], extent: _Extent) -> None:
    pixel, row = value[Register.OUTPUT_PIXEL_STRIDE], value[Register.OUTPUT_ROW_STRIDE]
    for register in (Register.OUTPUT, Register.OUTPUT_PIXEL_STRIDE, Register.OUTPUT_ROW_STRIDE):
        _require(value[register] % ALIGN_OUTPUTS == 0, f"{register.name} is not aligned to 4")
    pixel_bytes = 4 * extent.out_channels
    row_bytes = (extent.out_cols - 1) * pixel + pixel_bytes
    _require(extent.out_cols == 1 or pixel >= pixel_bytes, "output pixels overlap")
    _require(extent.out_rows == 1 or row >= row_bytes, "output rows overlap")


def _channel_bytes(extent: _Extent) -> int:
    words = extent.bits if extent.mode is Mode.DENSE_3X3 else 1
    return 32 * words * extent.in_tiles


def _weight_range(value: dict[Register, int], extent: _Extent, source: WeightSource) -> range:
    start = value[Register.WEIGHTS]
    if source is WeightSource.L1:
        start &= L1_ADDRESS_MASK
    _require(start % ALIGN_WEIGHTS == 0, "weights are not aligned to 32")
    return range(start, start + extent.out_channels * _channel_bytes(extent))


def _channels_read(extent: _Extent) -> int:
    """A 3x3 tile that is not the last one is read 32 channels wide, the last four for nothing."""
    if extent.mode is Mode.DENSE_3X3 and extent.in_tiles > 1:
        return max(extent.in_channels, 28 * (extent.in_tiles - 2) + 32)
    return extent.in_channels


def _input_range(value: dict[Register, int], extent: _Extent, channels: int) -> range:
    border = 2 if extent.mode is Mode.DENSE_3X3 else 0
    start = value[Register.INPUT] & L1_ADDRESS_MASK
    last_pixel = (extent.out_rows + border - 1) * value[Register.INPUT_ROW_STRIDE] + (
        extent.out_cols + border - 1
    ) * value[Register.INPUT_PIXEL_STRIDE]
    return range(start, start + last_pixel + channels)


def _output_range(value: dict[Register, int], extent: _Extent) -> range:
    start = value[Register.OUTPUT] & L1_ADDRESS_MASK
    last_pixel = (extent.out_rows - 1) * value[Register.OUTPUT_ROW_STRIDE] + (
        extent.out_cols - 1
    ) * value[Register.OUTPUT_PIXEL_STRIDE]
    return range(start, start + last_pixel + 4 * extent.out_channels)


def _count(tile_count: int, last: int, tile: int) -> int:
    _require(tile_count >= 1, "no tiles")
    _require(1 <= last <= tile, f"the last tile has {last} of {tile}")
    return (tile_count - 1) * tile + last


def _split(halves: int) -> tuple[int, int]:
    return halves >> 16, halves & 0xFFFF


def _check_l1(touched: range, windows: Windows, what: str) -> None:
    _require(touched.stop <= windows.l1_bytes, f"{what} end {touched.stop} bytes into L1")


def _overlap(one: range, two: range) -> bool:
    return one.start < two.stop and two.start < one.stop


def _require(is_true: bool, otherwise: str) -> None:
    if not is_true:
        raise JobError(otherwise)
