"""The packed layout is the one that kernels.h documents, and unpacking undoes packing."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aretusa.quantization.layout import PackedMatrix, code_sums, pack_matrix, unpack_matrix
from aretusa.quantization.schemes import QuantisedMatrix

FORMS = [(8, 0, False), (8, 32, False), (4, 0, False), (4, 32, True), (4, 64, False)]


def random_matrix(
    rows: int, depth: int, *, bits: int, group: int, minimums: bool
) -> QuantisedMatrix:
    rng = np.random.default_rng(rows * depth)
    codes = (
        rng.integers(-128, 128, (rows, depth)) if bits == 8 else rng.integers(0, 16, (rows, depth))
    )
    shape = (rows, -(-depth // group)) if group else (rows,)
    scales = rng.standard_normal(shape)
    return QuantisedMatrix(
        codes=codes.astype(np.int8) if bits == 8 else codes.astype(np.uint8),
        scales=scales.astype(np.float16) if group else scales.astype(np.float32),
        minimums=rng.standard_normal(shape).astype(np.float16) if minimums else None,
        bits=bits,
        group=group,
        zero=8 if bits == 4 and not minimums else 0,
    )


def code_at(packed: PackedMatrix, row: int, k: int) -> int:
    """One code, found the way kernels.h says."""
    block, lane = divmod(row, 8)
    if packed.bits == 8:
        return int(packed.codes[block, k, lane])
    return int(packed.codes[block, k]) >> (4 * (lane // 2) + 16 * (lane % 2)) & 15


@pytest.mark.parametrize(("bits", "group", "minimums"), FORMS)
@pytest.mark.parametrize(("rows", "depth"), [(1, 1), (13, 33), (84, 100)])
def test_every_code_and_scale_stands_where_the_kernels_look(
    bits: int, group: int, minimums: bool, rows: int, depth: int
) -> None:
    matrix = random_matrix(rows, depth, bits=bits, group=group, minimums=minimums)
    bias = np.arange(rows, dtype=np.float32)
    packed = pack_matrix(matrix, bias)
    assert packed.form == {(8, 0): 0, (8, 32): 1, (4, 0): 2}.get((bits, group), 3)
    for row in range(rows):
        block, lane = divmod(row, 8)
        assert [code_at(packed, row, k) for k in range(depth)] == matrix.codes[row].tolist()
        assert packed.bias is not None
        assert packed.bias[block, lane] == row
        if group:
            assert packed.scales[block, :, lane].tolist() == matrix.scales[row].tolist()
        else:
            assert packed.scales[block, lane] == matrix.scales[row]


@pytest.mark.parametrize(("bits", "group", "minimums"), FORMS)
def test_rows_are_padded_with_zeros(bits: int, group: int, minimums: bool) -> None:
    packed = pack_matrix(random_matrix(3, 40, bits=bits, group=group, minimums=minimums))
    assert packed.codes.shape[0] == packed.scales.shape[0] == 1
    assert [code_at(packed, 7, k) for k in range(40)] == [0] * 40
    assert not packed.scales[0, ..., 3:].any()


@settings(max_examples=40, deadline=None)
@given(form=st.sampled_from(FORMS), rows=st.integers(1, 50), depth=st.integers(1, 200))
def test_unpacking_undoes_packing(form: tuple[int, int, bool], rows: int, depth: int) -> None:
    bits, group, minimums = form
    matrix = random_matrix(rows, depth, bits=bits, group=group, minimums=minimums)
    bias = np.linspace(-1, 1, rows, dtype=np.float32)
    again, bias_again = unpack_matrix(pack_matrix(matrix, bias))
    assert (again.bits, again.group, again.zero) == (bits, group, matrix.zero)
    assert again.codes.dtype == matrix.codes.dtype
    np.testing.assert_array_equal(again.codes, matrix.codes)
    np.testing.assert_array_equal(again.scales, matrix.scales)
    assert (again.minimums is None) == (matrix.minimums is None)
    if matrix.minimums is not None:
        np.testing.assert_array_equal(again.minimums, matrix.minimums)
    np.testing.assert_array_equal(bias_again, bias)


def test_size_counts_every_array() -> None:
    packed = pack_matrix(
        random_matrix(16, 64, bits=4, group=32, minimums=True), np.zeros(16, np.float32)
    )
    assert packed.size_bytes == 16 * 64 // 2 + 2 * (16 * 2 * 2) + 16 * 4


def test_sums_of_codes_go_by_runs_of_32() -> None:
    codes = np.full((2, 70), 127, np.int8)
    np.testing.assert_array_equal(code_sums(codes), [[127 * 32, 127 * 32, 127 * 6]] * 2)


@pytest.mark.slow
def test_a_head_of_49152_rows_packs_in_a_second() -> None:
    matrix = random_matrix(49152, 576, bits=4, group=32, minimums=True)
    start = time.process_time()
    pack_matrix(matrix)
    assert time.process_time() - start < 1
