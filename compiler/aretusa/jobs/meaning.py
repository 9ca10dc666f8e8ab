"""What the value of a job register says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.neureka.registers import (
    BITS_MASK,
    MODE_SHIFT,
    PREFETCH_BIT,
    SIGNED_INPUT_BIT,
    WEIGHT_MEMORY_BIT,
    Mode,
    Register,
)

if TYPE_CHECKING:
    from aretusa.trace.event import Access, JobStart

MODES: Final = {
    Mode.DENSE_3X3: "3x3",
    Mode.DEPTHWISE_3X3: "depthwise 3x3",
    Mode.DENSE_1X1: "1x1",
}
# What the two halves of a register count.
HALVES: Final = {
    Register.LAST_CHANNELS: "{} output and {} input channels in the last tiles",
    Register.LAST_OUTPUT: "{} rows, {} columns of results in the last tiles",
    Register.LAST_INPUT: "{} rows, {} columns of inputs in the last tiles",
    Register.CHANNEL_TILES: "{} tiles of output, {} of input channels",
    Register.PIXEL_TILES: "{} x {} tiles of pixels",
}
STRIDES: Final = {
    Register.INPUT_PIXEL_STRIDE: "from pixel to pixel",
    Register.INPUT_ROW_STRIDE: "from row to row",
    Register.OUTPUT_BEAT_STRIDE: "in a beat",
    Register.OUTPUT_PIXEL_STRIDE: "from pixel to pixel",
    Register.OUTPUT_ROW_STRIDE: "from row to row",
    Register.WEIGHT_WORD_STRIDE: "in a word",
    Register.WEIGHT_CHANNEL_STRIDE: "from output channel to output channel",
}


def meaning(register: Register, value: int, event: JobStart) -> str:
    """One phrase; empty where the register is not used."""
    match register:
        case Register.WEIGHTS:
            return place(event.weights)
        case Register.INPUT:
            return place(event.inputs)
        case Register.OUTPUT:
            return place(event.outputs)
        case Register.WEIGHT_OFFSET:
            return f"{value - (value >> 31 << 32):+d} to each stored code"
        case Register.CONFIG:
            return _config(value)
        case _ if register in HALVES:
            return HALVES[register].format(value >> 16, value & 0xFFFF)
        case _ if register in STRIDES:
            return f"{value} bytes {STRIDES[register]}"
        case _:
            return ""


def place(access: Access) -> str:
    """Memory and offset, and what lies there."""
    return f"{access.memory.name} + {access.offset_bytes}: {access.region}"


def _config(value: int) -> str:
    words = [
        MODES[Mode(value >> MODE_SHIFT & 3)],
        f"{(value & BITS_MASK) + 1} bits",
        "weights in MRAM or SRAM" if value >> WEIGHT_MEMORY_BIT & 1 else "weights in L1",
        "prefetch" if value >> PREFETCH_BIT & 1 else "no prefetch",
        "signed inputs" if value >> SIGNED_INPUT_BIT & 1 else "unsigned inputs",
        "32-bit sums",
    ]
    return ", ".join(words)
