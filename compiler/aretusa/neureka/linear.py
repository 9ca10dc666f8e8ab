"""A linear layer on N-EUREKA: which way it is read as a convolution, and the bytes that takes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from aretusa.neureka.layout import (
    pack_1x1,
    pack_gemv_3x3,
    packed_1x1_bytes,
    packed_gemv_3x3_bytes,
    unpack_1x1,
    unpack_gemv_3x3,
)
from aretusa.neureka.registers import Mode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUMS_BYTES: Final = 24 * 1024  # of L1 for the sums of one layer, both buffers together


class Engine(StrEnum):
    """What runs a linear layer; the value is what `--engine` takes."""

    CLUSTER = "cluster"
    NEUREKA_1X1 = "neureka-1x1"  # tokens as pixels of a 1x1 convolution
    NEUREKA_3X3 = "neureka-3x3"  # a token as the 3x3 image of a convolution with one output pixel
    SPLIT = "split"  # the first rows on N-EUREKA in 3x3 mode, the others on the cluster

    @property
    def mode(self) -> Mode:
        """The mode of N-EUREKA's part."""
        match self:
            case Engine.NEUREKA_1X1:
                return Mode.DENSE_1X1
            case Engine.NEUREKA_3X3 | Engine.SPLIT:
                return Mode.DENSE_3X3
            case Engine.CLUSTER:
                raise AssertionError("the cluster has no mode")
            case _:
                assert_never(self)


def engine_bytes(engine: Engine, rows: int, depth: int, bits: int) -> int:
    """Bytes of the codes of a matrix in the engine's layout."""
    if engine.mode is Mode.DENSE_1X1:
        return packed_1x1_bytes(rows, depth)
    return packed_gemv_3x3_bytes(rows, depth, bits)


def pack_for(
    engine: Engine, codes: NDArray[np.int8], bits: int, *, from_zero: bool = False
) -> NDArray[np.uint8]:
    """Codes [rows, depth] in the engine's layout; they are signed unless they are `from_zero`."""
    pack = pack_1x1 if engine.mode is Mode.DENSE_1X1 else pack_gemv_3x3
    return pack(codes, bits, from_zero=from_zero)


def unpack_for(
    engine: Engine,
    words: NDArray[np.uint8],
    rows: int,
    depth: int,
    bits: int,
    *,
    from_zero: bool = False,
) -> NDArray[np.int8]:
    """The codes that were packed."""
    unpack = unpack_1x1 if engine.mode is Mode.DENSE_1X1 else unpack_gemv_3x3
    return unpack(words, rows, depth, bits, from_zero=from_zero)


def group_tokens(rows: int, chunk: int) -> int:
    """Tokens whose sums are in one of the two buffers at a time."""
    return max(1, min(chunk, SUMS_BYTES // (2 * 4 * rows)))


def sums_bytes(rows: int, chunk: int) -> int:
    """Both buffers of sums: art_linear_engine_scratch_bytes."""
    return 2 * 4 * rows * group_tokens(rows, chunk)
