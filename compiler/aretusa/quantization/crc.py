"""CRC-32C of images, many slices at a time.

The raw remainder (no complements) is linear over GF(2): leading zeros leave it alone, and the
remainder of two joined slices is that of the first, moved past the second's length, xor that of
the second. So a message is cut into equal slices whose remainders NumPy computes side by side.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    U16 = NDArray[np.uint16]
    U32 = NDArray[np.uint32]

POLYNOMIAL: Final = 0x82F63B78  # Castagnoli, reflected
SLICE_BYTES_MIN: Final = 64
SLICES_MAX: Final = 8192


def crc32c(data: bytes | bytearray | memoryview | U8, crc: int = 0) -> int:
    """CRC-32C of data, going on from crc, as art_crc32c computes it."""
    message = np.frombuffer(data, np.uint8)
    remainder = _raw(message[None, :])[0]
    moved = _apply(_past_zero_bytes(message.size), np.array([~crc & 0xFFFFFFFF], np.uint32))[0]
    return int(remainder ^ moved) ^ 0xFFFFFFFF


def crc32c_chunks(data: bytes | bytearray | memoryview | U8, chunk_bytes: int) -> U32:
    """CRC-32C of every chunk of data; the last chunk may be short."""
    message = np.frombuffer(data, np.uint8)
    whole = message.size // chunk_bytes
    rows = message[: whole * chunk_bytes].reshape(whole, chunk_bytes)
    start = _apply(_past_zero_bytes(chunk_bytes), np.array([0xFFFFFFFF], np.uint32))
    found = ~(_raw(rows) ^ start)
    rest = message[whole * chunk_bytes :]
    return np.append(found, np.uint32(crc32c(rest))) if rest.size else found


def _byte_tables() -> U32:
    """[4, 256]: the remainder of byte b followed by n zero bytes."""
    table: U32 = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(POLYNOMIAL), np.uint32(0))
    rows = [table]
    for _ in range(3):
        rows.append(table[rows[-1] & 0xFF] ^ (rows[-1] >> 8))
    return np.stack(rows)


BYTE_TABLES: Final = _byte_tables()


@cache
def _half_tables() -> tuple[U32, U32]:
    """Remainders of the lower and the upper half of a 32-bit word, by 65536 values."""
    low = np.arange(65536, dtype=np.uint32)
    return (
        BYTE_TABLES[3][low & 0xFF] ^ BYTE_TABLES[2][low >> 8],
        BYTE_TABLES[1][low & 0xFF] ^ BYTE_TABLES[0][low >> 8],
    )


def _raw(messages: U8) -> U32:
    """Raw remainders of messages [count, bytes] of one length."""
    count, length = messages.shape
    slices = 1
    while slices * count < SLICES_MAX and length > 2 * slices * SLICE_BYTES_MIN:
        slices *= 2
    slice_bytes = -(-length // (4 * slices)) * 4
    padded = np.zeros((count, slices * slice_bytes), np.uint8)
    padded[:, slices * slice_bytes - length :] = messages
    rows = padded.reshape(count * slices, slice_bytes)
    remainders: U32 = _raw_slices(rows).reshape(count, slices)
    past = _past_zero_bytes(slice_bytes)
    while slices > 1:
        remainders = _apply(past, remainders[:, ::2]) ^ remainders[:, 1::2]
        past = _apply(past, past)
        slices //= 2
    return remainders[:, 0]


def _raw_slices(slices: U8) -> U32:
    """Raw remainders of slices [count, bytes], bytes a multiple of 4, a word of each at a time."""
    lower, upper = _half_tables()
    columns = np.ascontiguousarray(slices.view("<u4").T)
    remainder = np.zeros(slices.shape[0], np.uint32)
    for column in columns:
        remainder ^= column
        remainder = lower[remainder & 0xFFFF] ^ upper[remainder >> 16]
    return remainder


def _apply(matrix: U32, vectors: U32) -> U32:
    """The product matrix * vectors over GF(2); entry i of matrix is the image of bit i."""
    image = np.zeros(vectors.shape, np.uint32)
    for bit in range(32):
        image ^= np.where(vectors >> np.uint32(bit) & np.uint32(1), matrix[bit], np.uint32(0))
    return image


@cache
def _past_zero_bytes(count: int) -> U32:
    """The matrix that moves a remainder past count zero bytes, by squaring."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    power = BYTE_TABLES[0][bits & 0xFF] ^ (bits >> 8)
    product = bits
    while count:
        if count & 1:
            product = _apply(power, product)
        power = _apply(power, power)
        count >>= 1
    return product
