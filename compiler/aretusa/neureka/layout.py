"""Weights in the words that N-EUREKA reads, and matrices as its 3x3 kernels.

Weights are stored as unsigned codes u = w - offset, offset = -2**(bits - 1) or, for weights that
are not negative, 0, bit plane by bit plane in 256-bit words, the first bit of a word being the
lowest bit of its first byte:

- dense 3x3: [row][channel tile][bit][word], channel c of tap t at bit 28 * t + c, four bits unused;
- depthwise 3x3: [channel tile][bit][word], the same word;
- 1x1: [row][channel tile][word], bit b of channel 4 * g + j at bit 32 * g + 4 * b + j: eight planes
  whatever the bits.

Source: pulp-platform/pulp-nnx test/NeurekaWeight.py; gvsoc/gvsoc-pulp
pulp/neureka/src/neureka_matrixvec.cpp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    I8 = NDArray[np.int8]
    U8 = NDArray[np.uint8]

WORD_BYTES: Final = 32  # the weight port has 256 bits
WORD_BITS: Final = 8 * WORD_BYTES
TAPS: Final = 9
CHANNELS_3X3: Final = 28  # of one word: 9 * 28 = 252 bits
CHANNELS_1X1: Final = 32
BITS_MIN: Final = 2
BITS_MAX: Final = 8
PLANES_1X1: Final = 8  # missing planes are stored as zeros
GROUP_1X1: Final = 4  # channels that share 32 bits of a 1x1 word


def tiles(count: int, size: int) -> int:
    """Tiles of that size that hold so many."""
    return -(-count // size)


def weight_offset(bits: int, *, from_zero: bool = False) -> int:
    """What the engine adds to a stored code: -2**(bits - 1), or 0 for weights from 0 on."""
    return 0 if from_zero else -(1 << (bits - 1))


def packed_3x3_bytes(rows: int, channels: int, bits: int) -> int:
    """Bytes of a packed dense 3x3 kernel."""
    return rows * tiles(channels, CHANNELS_3X3) * bits * WORD_BYTES


def packed_depthwise_bytes(channels: int, bits: int) -> int:
    """Bytes of a packed depthwise 3x3 kernel."""
    return tiles(channels, CHANNELS_3X3) * bits * WORD_BYTES


def packed_1x1_bytes(rows: int, depth: int) -> int:
    """Bytes of a packed 1x1 kernel, the same for all bits."""
    return rows * tiles(depth, CHANNELS_1X1) * WORD_BYTES


def gemv_3x3_channels(depth: int) -> int:
    """Channels of the 3x3 image that a vector of that depth is read as."""
    return tiles(depth, TAPS)


def packed_gemv_3x3_bytes(rows: int, depth: int, bits: int) -> int:
    """Bytes of a matrix packed as a dense 3x3 kernel."""
    return packed_3x3_bytes(rows, gemv_3x3_channels(depth), bits)


def gemv_3x3_taps(matrix: I8) -> I8:
    """[rows, depth] -> [rows, tap, channel]: tap t of channel c is column t * channels + c.

    Columns beyond the depth are zero weights, so that the inputs there may be anything.
    """
    rows, depth = matrix.shape
    channels = gemv_3x3_channels(depth)
    padded = np.zeros((rows, TAPS * channels), np.int8)
    padded[:, :depth] = matrix
    return padded.reshape(rows, TAPS, channels)


def pack_gemv_3x3(matrix: I8, bits: int, *, from_zero: bool = False) -> U8:
    """[rows, depth] as the words of a dense 3x3 kernel."""
    return pack_3x3(gemv_3x3_taps(matrix), bits, from_zero=from_zero)


def unpack_gemv_3x3(words: U8, rows: int, depth: int, bits: int, *, from_zero: bool = False) -> I8:
    """The matrix that was packed."""
    taps = unpack_3x3(words, rows, gemv_3x3_channels(depth), bits, from_zero=from_zero)
    return np.ascontiguousarray(taps.reshape(rows, -1)[:, :depth])


def pack_3x3(codes: I8, bits: int, *, from_zero: bool = False) -> U8:
    """Codes [row, tap, channel] -> bytes [row, tile, bit, 32]."""
    offset = weight_offset(bits, from_zero=from_zero)
    stored = _stored(codes, bits, CHANNELS_3X3, offset)  # [row, tap, tile * 28]
    rows, channel_tiles = stored.shape[0], stored.shape[2] // CHANNELS_3X3
    by_tile = stored.reshape(rows, TAPS, channel_tiles, CHANNELS_3X3).transpose(0, 2, 1, 3)
    word = np.zeros((rows, channel_tiles, WORD_BITS), np.uint8)
    packed = np.empty((rows, channel_tiles, bits, WORD_BYTES), np.uint8)
    for bit in range(bits):
        plane = (by_tile >> np.uint8(bit)) & np.uint8(1)
        word[:, :, : TAPS * CHANNELS_3X3] = plane.reshape(rows, channel_tiles, -1)
        packed[:, :, bit] = np.packbits(word, axis=-1, bitorder="little")
    return packed


def unpack_3x3(words: U8, rows: int, channels: int, bits: int, *, from_zero: bool = False) -> I8:
    """The codes [row, tap, channel] that were packed."""
    channel_tiles = tiles(channels, CHANNELS_3X3)
    planes = words.reshape(rows, channel_tiles, bits, WORD_BYTES)
    stored = np.zeros((rows, channel_tiles, TAPS * CHANNELS_3X3), np.uint8)
    for bit in range(bits):
        word = np.unpackbits(planes[:, :, bit], axis=-1, bitorder="little")
        stored |= word[:, :, : stored.shape[2]] << np.uint8(bit)
    by_tile = stored.reshape(rows, channel_tiles, TAPS, CHANNELS_3X3)
    found = by_tile.transpose(0, 2, 1, 3).reshape(rows, TAPS, -1)[:, :, :channels]
    return _weights(found, weight_offset(bits, from_zero=from_zero))


def pack_depthwise(codes: I8, bits: int) -> U8:
    """Signed codes [tap, channel] -> bytes [tile, bit, 32]."""
    words: U8 = pack_3x3(codes[None], bits)[0]
    return words


def unpack_depthwise(words: U8, channels: int, bits: int) -> I8:
    """The codes [tap, channel] that were packed."""
    codes: I8 = unpack_3x3(words, 1, channels, bits)[0]
    return codes


def pack_1x1(matrix: I8, bits: int, *, from_zero: bool = False) -> U8:
    """Codes [row, channel] -> bytes [row, tile, 32]."""
    stored = _stored(matrix, bits, CHANNELS_1X1, weight_offset(bits, from_zero=from_zero))
    rows, channel_tiles = stored.shape[0], stored.shape[1] // CHANNELS_1X1
    groups = stored.reshape(rows, channel_tiles, CHANNELS_1X1 // GROUP_1X1, 1, GROUP_1X1)
    planes = np.arange(PLANES_1X1, dtype=np.uint8)[:, None]
    word = ((groups >> planes) & np.uint8(1)).reshape(rows, channel_tiles, WORD_BITS)
    return np.packbits(word, axis=-1, bitorder="little")


def unpack_1x1(words: U8, rows: int, depth: int, bits: int, *, from_zero: bool = False) -> I8:
    """The codes [row, channel] that were packed."""
    word = np.unpackbits(words.reshape(rows, -1, WORD_BYTES), axis=-1, bitorder="little")
    groups = word.reshape(rows, -1, PLANES_1X1, GROUP_1X1)
    weights = (np.uint8(1) << np.arange(PLANES_1X1, dtype=np.uint8))[:, None]
    stored = (groups * weights).sum(axis=2, dtype=np.uint8)
    offset = weight_offset(bits, from_zero=from_zero)
    return _weights(stored.reshape(rows, -1)[:, :depth], offset)


def _stored(codes: I8, bits: int, tile: int, offset: int) -> U8:
    """Unsigned codes with the last axis padded by zeros to whole tiles."""
    assert BITS_MIN <= bits <= BITS_MAX, f"{bits} bits"
    end = offset + (1 << bits)
    assert codes.size == 0 or offset <= int(codes.min()) <= int(codes.max()) < end, (
        f"codes {codes.min()}..{codes.max()} in {bits} bits"
    )
    channels = codes.shape[-1]
    stored = np.zeros((*codes.shape[:-1], tile * tiles(channels, tile)), np.uint8)
    stored[..., :channels] = (codes.astype(np.int16) - offset).astype(np.uint8)
    return stored


def _weights(stored: U8, offset: int) -> I8:
    return (stored.astype(np.int16) + offset).astype(np.int8)
