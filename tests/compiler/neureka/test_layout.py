"""Packed words hold every bit where the engine looks for it, and unpacking undoes packing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.neureka import layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

widths = st.integers(2, 8)
seeds = st.integers(0, 1000)


def random_codes(shape: tuple[int, ...], bits: int, seed: int) -> NDArray[np.int8]:
    offset = 1 << (bits - 1)
    return np.random.default_rng(seed).integers(-offset, offset, shape).astype(np.int8)


def bit_of(words: NDArray[np.uint8], byte: int, bit: int) -> int:
    """Bit `bit` of the 256-bit word that starts at this byte."""
    word = int.from_bytes(words.reshape(-1)[byte : byte + 32].tobytes(), "little")
    return word >> bit & 1


@given(rows=st.integers(1, 70), channels=st.integers(1, 90), bits=widths, seed=seeds)
def test_unpacking_undoes_packing_3x3(rows: int, channels: int, bits: int, seed: int) -> None:
    codes = random_codes((rows, 9, channels), bits, seed)
    words = layout.pack_3x3(codes, bits)
    assert words.size == layout.packed_3x3_bytes(rows, channels, bits)
    assert (layout.unpack_3x3(words.reshape(-1), rows, channels, bits) == codes).all()


@given(channels=st.integers(1, 90), bits=widths, seed=seeds)
def test_unpacking_undoes_packing_depthwise(channels: int, bits: int, seed: int) -> None:
    codes = random_codes((9, channels), bits, seed)
    words = layout.pack_depthwise(codes, bits)
    assert words.size == layout.packed_depthwise_bytes(channels, bits)
    assert (layout.unpack_depthwise(words.reshape(-1), channels, bits) == codes).all()


@given(rows=st.integers(1, 70), depth=st.integers(1, 90), bits=widths, seed=seeds)
def test_unpacking_undoes_packing_1x1(rows: int, depth: int, bits: int, seed: int) -> None:
    codes = random_codes((rows, depth), bits, seed)
    words = layout.pack_1x1(codes, bits)
    assert words.size == layout.packed_1x1_bytes(rows, depth)
    assert (layout.unpack_1x1(words.reshape(-1), rows, depth, bits) == codes).all()


@given(rows=st.integers(1, 70), depth=st.integers(1, 800), bits=widths, seed=seeds)
def test_unpacking_undoes_packing_a_matrix(rows: int, depth: int, bits: int, seed: int) -> None:
    matrix = random_codes((rows, depth), bits, seed)
    words = layout.pack_gemv_3x3(matrix, bits)
    assert words.size == layout.packed_gemv_3x3_bytes(rows, depth, bits)
    assert (layout.unpack_gemv_3x3(words.reshape(-1), rows, depth, bits) == matrix).all()


@given(channels=st.integers(1, 60), bits=widths, seed=seeds, data=st.data())
def test_each_bit_of_a_3x3_weight_is_in_its_place(
    channels: int, bits: int, seed: int, data: st.DataObject
) -> None:
    codes = random_codes((3, 9, channels), bits, seed)
    words = layout.pack_3x3(codes, bits)
    row, tap = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 8))
    channel, bit = data.draw(st.integers(0, channels - 1)), data.draw(st.integers(0, bits - 1))
    stored = int(codes[row, tap, channel]) + (1 << (bits - 1))
    tile_count = -(-channels // 28)
    byte = 32 * ((row * tile_count + channel // 28) * bits + bit)
    assert bit_of(words, byte, 28 * tap + channel % 28) == stored >> bit & 1
    assert [bit_of(words, byte, unused) for unused in range(252, 256)] == [0, 0, 0, 0]


@given(depth=st.integers(1, 90), bits=widths, seed=seeds, data=st.data())
def test_each_bit_of_a_1x1_weight_is_in_its_place(
    depth: int, bits: int, seed: int, data: st.DataObject
) -> None:
    codes = random_codes((3, depth), bits, seed)
    words = layout.pack_1x1(codes, bits)
    row, channel = data.draw(st.integers(0, 2)), data.draw(st.integers(0, depth - 1))
    stored = int(codes[row, channel]) + (1 << (bits - 1))
    byte = 32 * (row * -(-depth // 32) + channel // 32)
    first = 32 * (channel % 32 // 4) + channel % 4
    planes = [bit_of(words, byte, first + 4 * bit) for bit in range(8)]
    assert planes == [stored >> bit & 1 for bit in range(8)]


def test_a_column_is_a_tap_and_a_channel() -> None:
    matrix = np.arange(20, dtype=np.int8).reshape(1, 20)
    taps = layout.gemv_3x3_taps(matrix)
    assert taps.shape == (1, 9, 3)
    assert taps[0, 4].tolist() == [12, 13, 14]
    assert taps[0, 6].tolist() == [18, 19, 0]
    assert not taps[0, 7:].any()


def test_a_multiple_of_252_columns_is_stored_without_waste() -> None:
    assert layout.packed_gemv_3x3_bytes(10, 504, 4) == 10 * 2 * 4 * 32
    assert layout.packed_gemv_3x3_bytes(10, 505, 4) == 10 * 3 * 4 * 32


@pytest.mark.parametrize(("codes", "bits"), [([8], 4), ([-9], 4), ([0], 1)])
def test_codes_that_do_not_fit_are_refused(codes: list[int], bits: int) -> None:
    with pytest.raises(AssertionError, match="bits"):
        layout.pack_1x1(np.array([codes], np.int8), bits)
