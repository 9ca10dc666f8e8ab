"""Shapes, sizes and names of values, weights and caches."""

from __future__ import annotations

import numpy as np
import pytest

from aretusa.ir.types import TOKENS, Cache, DenseType, DType, TensorType, Value, VectorType, Weight
from aretusa.quantization.schemes import QuantisedMatrix

HEADS = TensorType((TOKENS, 4, 16), DType.Q8)


def test_tokens_are_filled_into_a_shape() -> None:
    assert HEADS.dims(3) == (3, 4, 16)
    assert HEADS.rows(3) == 12
    assert HEADS.depth == 16
    assert TensorType((5, 2), DType.F32).dims(3) == (5, 2)


def test_a_row_has_a_constant_length() -> None:
    with pytest.raises(AssertionError, match="no constant last dimension"):
        _ = TensorType((TOKENS,), DType.TOKEN).depth


def test_types_print_as_in_the_text_form() -> None:
    assert str(Value("q", HEADS)) == "%q: q8[tokensx4x16]"
    assert str(Cache("l0.keys", 2, 16)) == "$l0.keys: cache[2x16]"
    assert str(Weight("norm", VectorType(64))) == "@norm: f32[64]"
    w4 = DenseType(rows=6, depth=70, bits=4, group=32, zero=8, has_minimum=True)
    assert str(w4) == "w4[6x70] group 32 zero 8 minimum"


def test_a_short_last_group_counts() -> None:
    assert DenseType(rows=6, depth=70, bits=4, group=32).groups == 3
    assert DenseType(rows=6, depth=70, bits=8).groups == 1


def test_a_matrix_knows_its_type() -> None:
    matrix = QuantisedMatrix(
        codes=np.zeros((6, 70), np.uint8),
        scales=np.zeros((6, 3), np.float16),
        minimums=np.zeros((6, 3), np.float16),
        bits=4,
        group=32,
        zero=0,
    )
    kind = DenseType(rows=6, depth=70, bits=4, group=32, zero=0, has_minimum=True)
    assert DenseType.of(matrix) == kind


@pytest.mark.parametrize(("heads", "dim", "expected"), [(2, 16, 2 * 7 * (16 + 4)), (1, 3, 24 + 28)])
def test_a_cache_holds_codes_and_scales(heads: int, dim: int, expected: int) -> None:
    assert Cache("keys", heads, dim).size_bytes(7) == expected


@pytest.mark.parametrize(
    ("dim", "row_bytes"), [(1, 4), (2, 4), (8, 4), (10, 8), (28, 16), (64, 32)]
)
def test_four_bits_fill_whole_words(dim: int, row_bytes: int) -> None:
    cache = Cache("keys", 3, dim, bits=4)
    assert cache.row_bytes == row_bytes
    assert cache.size_bytes(7) == 3 * 7 * cache.position_bytes == 3 * 7 * (row_bytes + 4)
    assert str(cache) == f"$keys: cache[3x{dim} 4 bits]"
