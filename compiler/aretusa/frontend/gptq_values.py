"""Bit fields, zero points and group numbers of GPTQ's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from aretusa.frontend.hf_store import widen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aretusa.frontend.compression_config import GptqConfig

WORD_BITS: Final = 32
CHUNK_WORDS: Final = 200_000  # bits of so many words are unpacked at a time


def unpack_fields(words: NDArray[np.uint32], bits: int, count: int) -> NDArray[np.int16]:
    """[n, words] -> the first `count` fields [n, count] of each row's stream of bits."""
    fields = np.empty((words.shape[0], count), np.int16)
    step = max(1, CHUNK_WORDS // words.shape[1])
    for first in range(0, words.shape[0], step):
        rows = words[first : first + step]
        stream = np.unpackbits(rows.astype("<u4").view(np.uint8), axis=1, bitorder="little")
        planes = stream[:, : count * bits].reshape(rows.shape[0], count, bits)
        part = fields[first : first + step]
        part[:] = 0
        for bit in range(bits):
            part |= planes[:, :, bit].astype(np.int16) << np.int16(bit)
    return fields


def zero_points(
    words: NDArray[np.uint32], bits: int, rows: int, config: GptqConfig | None
) -> NDArray[np.int16] | None:
    """Zero points [rows, groups] of qzeros; None where a symmetric matrix has others.

    Which version of the format stored them is seen in the values of a symmetric matrix, whatever
    the configuration calls it: there are files with the wrong label. Others go by the label.
    """
    stored = unpack_fields(words, bits, rows).T
    middle = 1 << (bits - 1)
    if config is None or config.is_symmetric:
        for value in (middle - 1, middle):
            if (stored == value).all():
                return np.full(stored.shape, middle, np.int16)
        if config is not None and not config.is_mixed:
            return None
    if config is not None and config.is_v2:
        return np.ascontiguousarray(stored)
    return np.ascontiguousarray(_plus_one(words, bits, rows).T)


def _plus_one(words: NDArray[np.uint32], bits: int, rows: int) -> NDArray[np.int16]:
    """Fields of version 1 plus 1, as their writer took the 1 away.

    That is from whole words, so that a zero point of 0 borrows from the next field; fields of 3
    bits cross words, and were written one by one.
    """
    if WORD_BITS % bits:
        return (unpack_fields(words, bits, rows) + np.int16(1)) & np.int16((1 << bits) - 1)
    ones = np.uint32(sum(1 << at for at in range(0, WORD_BITS, bits)))
    return unpack_fields(words + ones, bits, rows)


def is_order(numbers: NDArray[np.int32], group_size: int) -> bool:
    """Whether the group of column k is k // group_size."""
    return np.array_equal(numbers, np.arange(numbers.size) // group_size)


def halves(raw: bytes, dtype: str) -> NDArray[np.float32]:
    """Scales of any float type as binary32."""
    return widen(raw, dtype)


def first_run(raw: bytes) -> int:
    """Columns at the start that belong to one group."""
    numbers = np.frombuffer(raw, "<i4")
    others = np.flatnonzero(numbers != numbers[0])
    return int(others[0]) if others.size else numbers.size
