"""Zero columns left out: what is packed comes back, bytes fall, and wrong patterns are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from compressed_checkpoints import CompressedModel
from hypothesis import given
from hypothesis import strategies as st

from aretusa.errors import ModelError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.ir.types import DenseType
from aretusa.memory.matrix_parts import matrix_parts
from aretusa.quantization.kept_columns import check_pattern, kept_block_bytes, pays
from aretusa.quantization.layout import pack_matrix, unpack_matrix
from aretusa.quantization.schemes import QuantisedMatrix, Scheme
from aretusa.quantization.store import QuantisedCheckpoint
from aretusa.trace.layouts import packed
from aretusa.verbs.inspect import inspect_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

UP: Final = "model.layers.0.mlp.up_proj"


@st.composite
def sparse_matrices(draw: st.DrawFn) -> tuple[QuantisedMatrix, tuple[int, int]]:
    columns = draw(st.sampled_from((2, 4, 8, 16)))
    zeros = draw(st.integers(1, columns - 1))
    container = draw(st.sampled_from((4, 8)))
    rows, runs = draw(st.integers(1, 20)), draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    zero = 8 if container == 4 else 0
    low, high = (0, 16) if container == 4 else (-128, 128)
    codes = random.integers(low, high, (rows, runs, columns))
    order = random.permuted(np.broadcast_to(np.arange(columns), codes.shape).copy(), axis=-1)
    np.put_along_axis(codes, order[..., :zeros], zero, axis=-1)
    matrix = QuantisedMatrix(
        codes=codes.reshape(rows, -1).astype(np.uint8 if container == 4 else np.int8),
        scales=random.random(rows).astype(np.float32),
        minimums=None,
        bits=container,
        group=0,
        zero=zero,
    )
    return matrix, (zeros, columns)


@given(sparse_matrices())
def test_what_is_packed_comes_back(case: tuple[QuantisedMatrix, tuple[int, int]]) -> None:
    matrix, pattern = case
    check_pattern(matrix, pattern, "a matrix")
    result, bias = unpack_matrix(pack_matrix(matrix, None, pattern))
    assert bias is None
    np.testing.assert_array_equal(result.codes, matrix.codes)
    np.testing.assert_array_equal(result.dequantise(), matrix.dequantise())


@given(sparse_matrices())
def test_sizes_agree(case: tuple[QuantisedMatrix, tuple[int, int]]) -> None:
    matrix, pattern = case
    kind = DenseType(
        rows=matrix.rows, depth=matrix.depth, bits=matrix.bits, pattern=pattern, is_packed=True
    )
    arrays = pack_matrix(matrix, None, pattern)
    parts = matrix_parts(kind, has_bias=False)
    assert arrays.codes.nbytes == parts.codes_bytes
    assert packed(kind, matrix.rows, has_bias=False).size_bytes == parts.size_bytes


@pytest.mark.parametrize(
    ("pattern", "bits", "share"),
    [
        ((2, 4), 8, 20 / 32),
        ((1, 2), 8, 9 / 16),
        ((3, 4), 8, 10 / 32),
        ((4, 8), 8, 44 / 64),
        ((6, 8), 8, 22 / 64),
        ((12, 16), 8, 48 / 128),
        ((2, 4), 4, 12 / 16),
        ((6, 8), 4, 14 / 32),
    ],
)
def test_bytes_fall(pattern: tuple[int, int], bits: int, share: float) -> None:
    assert kept_block_bytes(256, bits, pattern) == share * 256 * bits
    assert pays(256, bits, pattern)


def test_few_zeros_take_more_bytes_than_all_columns() -> None:
    assert not pays(256, 8, (1, 8))
    assert not pays(256, 8, (1, 16))
    assert not pays(256, 4, (1, 4))
    assert not pays(254, 8, (2, 4))
    assert not pays(240, 8, (5, 10))


def source_of(path: Path, model: CompressedModel, scheme: Scheme) -> QuantisedCheckpoint:
    checkpoint = open_checkpoint(model.write(path))
    return QuantisedCheckpoint(checkpoint=checkpoint, scheme=scheme, context=16)


def kinds(source: QuantisedCheckpoint) -> DenseType:
    shape = DenseType(rows=96, depth=64, bits=32)
    return source.declared.matrix_type(f"{UP}.weight", shape)


@pytest.mark.parametrize(("scheme", "pattern"), [(Scheme(8), (2, 4)), (Scheme(3), (2, 4))])
def test_real_numbers_keep_their_zeros(
    tmp_path: Path, scheme: Scheme, pattern: tuple[int, int]
) -> None:
    model = CompressedModel()
    model.prune(UP, 2, 4)
    source = source_of(tmp_path, model, scheme)
    assert kinds(source).pattern == pattern
    values: NDArray[np.float32] = source.matrix(f"{UP}.weight").dequantise()
    assert (values[model.tensors[f"{UP}.weight"] == 0] == 0).all()
    stored = {tensor.name: tensor.stored for tensor in inspect_model(tmp_path).tensors}
    assert stored[f"{UP}.weight"] == "real numbers, 2:4 zero columns"


def test_groups_keep_all_columns(tmp_path: Path) -> None:
    model = CompressedModel()
    model.prune(UP, 2, 4)
    source = source_of(tmp_path, model, Scheme(4, 32))
    assert kinds(source).pattern is None
    assert source.matrix(f"{UP}.weight").group == 32


def test_a_pattern_that_is_not_there_is_refused(tmp_path: Path) -> None:
    model = CompressedModel()
    model.code(UP, 5)
    model.prune(UP, 2, 4)
    model.tensors[f"{UP}.codes"][7, 8:11] = 3
    source = source_of(tmp_path, model, Scheme(8))
    with pytest.raises(ModelError, match="row 7 has 3 codes in columns 8 to 11") as caught:
        source.matrix(f"{UP}.weight")
    assert caught.value.code == "E0147"
