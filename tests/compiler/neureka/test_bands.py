"""Matrices with groups: every part lies where the engine's jobs look for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.neureka import bands
from aretusa.neureka.bands import Bands
from aretusa.neureka.linear import Engine, pack_for


@given(
    engine=st.sampled_from((Engine.NEUREKA_3X3, Engine.NEUREKA_1X1)),
    rows=st.integers(1, 150),
    depth=st.integers(1, 300),
    bits=st.sampled_from((4, 8)),
    group=st.sampled_from((32, 64, 128)),
    from_zero=st.booleans(),
    most=st.sampled_from((1, 1 << 14, bands.BAND_BYTES)),
)
def test_codes_come_back(  # noqa: PLR0917 - a property of every shape
    engine: Engine, rows: int, depth: int, bits: int, group: int, from_zero: bool, most: int
) -> None:
    layout = Bands(
        engine=engine,
        rows=rows,
        depth=depth,
        bits=bits,
        group=group,
        from_zero=from_zero and bits == 4,
    )
    first = 0 if layout.from_zero else -(1 << (bits - 1))
    rng = np.random.default_rng(rows * depth)
    codes = rng.integers(first, first + (1 << bits), (rows, depth)).astype(np.int8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "BAND_BYTES", most)
        words = layout.pack(codes)
        assert words.size == rows * layout.row_bytes
        np.testing.assert_array_equal(layout.unpack(words), codes)
        assert layout.band_rows % 32 == 0
        assert layout.band_rows * layout.row_bytes <= max(most, 32 * layout.row_bytes)


def test_a_group_of_a_band_is_a_packed_matrix() -> None:
    layout = Bands(engine=Engine.NEUREKA_1X1, rows=40, depth=100, bits=4, group=64)
    codes = np.random.default_rng(1).integers(-8, 8, (40, 100)).astype(np.int8)
    words = layout.pack(codes)
    second = pack_for(Engine.NEUREKA_1X1, codes[:, 64:], 4)
    np.testing.assert_array_equal(words[40 * 64 :], second.reshape(-1))
