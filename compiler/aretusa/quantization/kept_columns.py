"""Matrices of which n of every m columns of each row are zero: the others, packed with places.

The twin of the layout that runtime/include/aretusa/kernels.h describes at struct art_matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aretusa.errors import ModelError
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aretusa.quantization.schemes import QuantisedMatrix

    Pattern = tuple[int, int]  # n of every m columns are zero

BLOCK_ROWS: Final = 8  # rows that are stored interleaved
COLUMNS: Final = (2, 4, 8, 16)  # lengths of a run that have places of whole bits
WORD_BYTES: Final = 4  # blocks are padded to words


def place_bits(columns: int) -> int:
    """Bits of a place among so many columns."""
    return columns.bit_length() - 1


def kept_block_bytes(depth: int, container: int, pattern: Pattern) -> int:
    """Codes of eight rows: art_kept_block_bytes. A container has 4 or 8 bits."""
    zeros, columns = pattern
    slot = container + place_bits(columns)  # eight values, eight places: bits are bytes
    return -(-depth // columns * (columns - zeros) * slot // WORD_BYTES) * WORD_BYTES


def pays(depth: int, container: int, pattern: Pattern) -> bool:
    """Whether kernels know the layout and it takes fewer bytes than all columns."""
    _, columns = pattern
    is_known = columns in COLUMNS and depth % columns == 0
    return is_known and kept_block_bytes(depth, container, pattern) < depth * container


def check_pattern(matrix: QuantisedMatrix, pattern: Pattern, name: str) -> None:
    """E0147 unless n of every m columns of each row are zero."""
    zeros, columns = pattern
    used = _used(matrix, columns)
    most = int(used.max()) if used.size else 0
    if most > columns - zeros:
        row, run = (int(at) for at in np.unravel_index(int(used.argmax()), used.shape))
        raise ModelError(
            "E0147",
            f"'{printable(name)}' is not {zeros}:{columns} sparse",
            why=f"row {row} has {most} codes in columns {run * columns} to "
            f"{min((run + 1) * columns, matrix.depth) - 1}, at most {columns - zeros} are allowed",
            fix="Prune it again, or take it out of 'sparsity' in config.json.",
        )


def pack_kept(
    codes: NDArray[Any], zero: int, container: int, pattern: Pattern
) -> NDArray[np.uint8]:
    """Codes [block, lane, depth] -> bytes [block, kept_block_bytes]."""
    zeros, columns = pattern
    kept = columns - zeros
    blocks, lanes, depth = codes.shape
    runs = codes.reshape(blocks, lanes, depth // columns, columns)
    # Columns that are not zero come first, each kind in its order.
    order = np.argsort(runs == zero, axis=-1, kind="stable")[..., :kept]
    places = np.sort(order, axis=-1)
    values = np.take_along_axis(runs, places, axis=-1)
    slots = np.concatenate(
        [_value_bytes(_by_slot(values), container), _place_bytes(_by_slot(places), columns)],
        axis=-1,
    ).reshape(blocks, -1)
    packed = np.zeros((blocks, kept_block_bytes(depth, container, pattern)), np.uint8)
    packed[:, : slots.shape[1]] = slots
    return packed


def unpack_kept(
    packed: NDArray[np.uint8], depth: int, zero: int, container: int, pattern: Pattern
) -> NDArray[np.uint8]:
    """Bytes [block, ...] -> codes [block, lane, depth] as bytes; columns left out are `zero`."""
    zeros, columns = pattern
    runs, kept = depth // columns, columns - zeros
    slot = container + place_bits(columns)
    slots = packed[:, : runs * kept * slot].reshape(packed.shape[0], runs, kept, slot)
    values = slots[..., :container]
    if container == WORD_BYTES:
        values = np.stack([values & 15, values >> 4], axis=-1).reshape(*values.shape[:-1], -1)
    fields = np.unpackbits(slots[..., container:], axis=-1, bitorder="little")
    bits = fields.reshape(*slots.shape[:-1], BLOCK_ROWS, place_bits(columns))
    places = bits @ (1 << np.arange(place_bits(columns)))
    codes = np.full((packed.shape[0], BLOCK_ROWS, runs, columns), zero, np.uint8)
    np.put_along_axis(codes, _by_lane(places), _by_lane(values), axis=-1)
    return codes.reshape(packed.shape[0], BLOCK_ROWS, depth)


def _used(matrix: QuantisedMatrix, columns: int) -> NDArray[np.int64]:
    """Codes that are not zero [rows, runs]; a short last run counts like any other."""
    is_used = matrix.codes != matrix.zero
    starts = np.arange(0, matrix.depth, columns)
    counts: NDArray[np.int64] = np.add.reduceat(is_used, starts, axis=1, dtype=np.int64)
    return counts


def _by_slot(numbers: NDArray[Any]) -> NDArray[Any]:
    """[block, lane, run, kept] -> [block, run, kept, lane]."""
    return np.moveaxis(numbers, 1, -1)


def _by_lane(numbers: NDArray[Any]) -> NDArray[Any]:
    """[block, run, kept, lane] -> [block, lane, run, kept]."""
    return np.moveaxis(numbers, -1, 1)


def _value_bytes(values: NDArray[Any], container: int) -> NDArray[np.uint8]:
    """Values of eight lanes as bytes, or two to a byte."""
    wide = np.ascontiguousarray(values).astype(np.int16).astype(np.uint8)
    if container == WORD_BYTES:
        wide = wide[..., 0::2] | (wide[..., 1::2] << np.uint8(4))
    return wide


def _place_bytes(places: NDArray[Any], columns: int) -> NDArray[np.uint8]:
    """Places of eight lanes as fields of a little-endian number."""
    bits = np.arange(place_bits(columns))
    fields = (places[..., None] >> bits) & 1
    stream = fields.reshape(*places.shape[:-1], -1).astype(np.uint8)
    return np.packbits(stream, axis=-1, bitorder="little")
