"""Where the compiler puts the parts of matrices, rows and caches is where the C looks for them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from required_tools import skip_or_fail

from aretusa.frontend.weights import FloatWeight
from aretusa.ir.types import Cache, DenseType, q8_size_bytes
from aretusa.memory.matrix_parts import matrix_parts
from aretusa.memory.placement import ALIGN_BYTES
from aretusa.quantization.layout import pack_matrix
from aretusa.quantization.schemes import GROUPS, SCHEMES, quantise_matrix
from aretusa.resources import runtime_dir

if TYPE_CHECKING:
    from pathlib import Path

HARNESS = r"""
#include "aretusa/places.h"

static uint8_t memory[1];

void *art_platform_memory(enum art_memory which)
{
    (void)which;
    return memory;
}

static int64_t offset_of(const void *part)
{
    return part == NULL ? -1 : (const uint8_t *)part - memory;
}

void matrix_offsets(uint32_t form, uint32_t parts, uint32_t group, uint32_t kept, uint32_t columns,
                    uint32_t rows, uint32_t depth, int64_t offsets[4])
{
    const struct art_matrix_place place = {
        0, (uint8_t)form, 0, (uint8_t)parts, (uint16_t)group, (uint8_t)kept, (uint8_t)columns, rows,
        depth, 64};
    const struct art_matrix matrix = art_matrix_at(&place);

    offsets[0] = offset_of(matrix.codes);
    offsets[1] = offset_of(matrix.scales);
    offsets[2] = offset_of(matrix.minimums);
    offsets[3] = offset_of(matrix.bias);
}

void row_offsets(uint32_t rows, uint32_t depth, int64_t offsets[3])
{
    const struct art_place place = {0, 64};
    const struct art_rows made = art_rows_at(&place, rows, depth);

    offsets[0] = offset_of(made.codes);
    offsets[1] = offset_of(made.scales);
    offsets[2] = offset_of(made.sums);
}

void cache_offsets(uint32_t heads, uint32_t context, uint32_t dim, int64_t offsets[2])
{
    const struct art_place place = {0, 64};

    offsets[0] = offset_of(art_cache_codes_at(&place));
    offsets[1] = offset_of(art_cache_scales_at(&place, heads, context, dim));
}
"""
START = 64
HAS_MINIMUMS, HAS_BIAS = 1, 2

sizes = st.integers(1, 300)
matrices = st.builds(
    DenseType,
    rows=sizes,
    depth=sizes.map(lambda n: 32 * n),
    bits=st.sampled_from((4, 8)),
    group=st.sampled_from((0, *GROUPS)),
    has_minimum=st.booleans(),
)


sparse_matrices = st.builds(
    DenseType,
    rows=sizes,
    depth=sizes.map(lambda n: 32 * n),
    bits=st.sampled_from((4, 8)),
    pattern=st.sampled_from(((1, 2), (3, 4), (2, 4), (5, 8), (6, 8), (9, 16), (12, 16))),
    is_packed=st.just(value=True),
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """runtime/src/places.c with one empty memory."""
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")
    folder: Path = tmp_path_factory.mktemp("places")
    harness, library = folder / "harness.c", folder / "places.so"
    harness.write_text(HARNESS)
    subprocess.run(
        [
            *("gcc", "-std=c11", "-shared", "-fPIC", f"-I{runtime_dir() / 'include'}"),
            *("-o", str(library), str(harness), str(runtime_dir() / "src" / "places.c")),
        ],
        check=True,
        capture_output=True,
    )
    return ctypes.CDLL(str(library))


@given(matrix=matrices | sparse_matrices, has_bias=st.booleans())
def test_matrices_lie_where_c_looks_for_them(
    places: ctypes.CDLL, matrix: DenseType, has_bias: bool
) -> None:
    parts = matrix_parts(matrix, has_bias=has_bias)
    form = (0 if matrix.bits == 8 else 2) + (0 if matrix.group == 0 else 1)
    flags = HAS_MINIMUMS * matrix.has_minimum + HAS_BIAS * has_bias
    found = (ctypes.c_int64 * 4)()
    zeros, columns = matrix.pattern or (0, 0)
    size = (matrix.rows, matrix.depth)
    places.matrix_offsets(form, flags, matrix.group, columns - zeros, columns, *size, found)
    assert list(found) == [
        START,
        START + parts.scales_offset,
        START + parts.minimums_offset if matrix.has_minimum else -1,
        START + parts.bias_offset if has_bias else -1,
    ]


@given(rows=sizes, depth=sizes)
def test_quantised_rows_end_with_their_buffer(places: ctypes.CDLL, rows: int, depth: int) -> None:
    found = (ctypes.c_int64 * 3)()
    places.row_offsets(rows, depth, found)
    codes, scales, sums = found
    assert codes == START
    assert scales - codes >= rows * depth
    assert sums - scales == 4 * rows
    assert sums + 4 * rows * -(-depth // 32) == START + q8_size_bytes(rows, depth)


@given(heads=st.integers(1, 12), context=sizes, dim=sizes)
def test_caches_end_with_their_region(
    places: ctypes.CDLL, heads: int, context: int, dim: int
) -> None:
    found = (ctypes.c_int64 * 2)()
    places.cache_offsets(heads, context, dim, found)
    codes, scales = found
    assert codes == START
    assert scales - codes >= heads * context * dim
    size_bytes = Cache("l0.keys", heads, dim).size_bytes(context)
    assert scales + 4 * heads * context == START + size_bytes


@given(matrix=matrices, has_bias=st.booleans())
def test_parts_follow_each_other_without_overlap(matrix: DenseType, has_bias: bool) -> None:
    parts = matrix_parts(matrix, has_bias=has_bias)
    starts = (parts.scales_offset, parts.minimums_offset, parts.bias_offset, parts.size_bytes)
    ends = (
        parts.codes_bytes,
        parts.scales_offset + parts.scales_bytes,
        parts.minimums_offset + parts.minimums_bytes,
        parts.bias_offset + parts.bias_bytes,
    )
    for end, start in zip(ends, starts, strict=True):
        assert 0 <= start - end < ALIGN_BYTES
        assert start % ALIGN_BYTES == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_parts_hold_what_is_packed(scheme: str) -> None:
    values = np.random.default_rng(1).standard_normal((21, 160)).astype(np.float32)
    matrix = quantise_matrix(FloatWeight(values), SCHEMES[scheme], name="w")
    packed = pack_matrix(matrix, np.ones(21, np.float32))
    parts = matrix_parts(DenseType.of(matrix), has_bias=True)
    assert packed.codes.nbytes == parts.codes_bytes
    assert packed.scales.nbytes == parts.scales_bytes
    assert packed.bias is not None
    assert packed.bias.nbytes == parts.bias_bytes
