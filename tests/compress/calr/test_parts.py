"""Branches, schedules and amounts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aretusa_compress.calr.branch import Branches, CorrectedLinear, split
from aretusa_compress.calr.losparse import amounts
from aretusa_compress.calr.options import Start
from aretusa_compress.calr.sparse import SparseLinear, columns_at
from aretusa_compress.solvers.low_rank import Factors, truncate
from aretusa_compress.svd.decompositions import Parts, Seen, decomposed
from aretusa_compress.svd.ranks import Size

ROUNDING = 1e-5  # of sums of 48 products of about one in binary32


def a_linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(48, 32)


def parts_of(linear: nn.Linear) -> Parts:
    return Parts(**decomposed(linear.weight.detach().double(), Seen(None, None), None), codes=None)


@pytest.mark.parametrize("start", list(Start))
@pytest.mark.parametrize("corrective", [0, 1, 5, 11, 40])
def test_the_joined_layer_computes_what_both_branches_compute(
    start: Start, corrective: int
) -> None:
    linear = a_linear()
    branches = split(parts_of(linear), 12, corrective, start, torch.Generator().manual_seed(1))
    layer = CorrectedLinear(linear, branches)
    if layer.has_branch:  # as if it were trained
        torch.nn.init.normal_(layer.corrective_out, std=0.1)
    joined = layer.branches().joined()
    assert joined.inner.shape == (12, 48)  # the rank that was asked for, whatever the branch's
    x = torch.randn(7, 48)
    expected = x @ joined.expand().T + linear.bias
    assert torch.allclose(layer(x), expected, atol=ROUNDING)


@given(st.lists(st.integers(-40, 40), min_size=6, max_size=6))
def test_both_factors_learn_at_one_length_and_go_back_bit_for_bit(powers: list[int]) -> None:
    generator = torch.Generator().manual_seed(5)
    lengths = torch.tensor(powers).float().exp2()
    inner = torch.randn(6, 9, generator=generator) * lengths[:, None]
    outer = torch.randn(8, 6, generator=generator)
    outer[:, 5] = 0  # a branch that begins at nothing
    main = Factors(inner=inner[:4], outer=outer[:, :4])
    branches = Branches(main=main, corrective=Factors(inner=inner[4:], outer=outer[:, 4:]))
    layer = CorrectedLinear(nn.Linear(9, 8, bias=False), branches)
    ratio = layer.main_in.norm(dim=1) / layer.main_out.norm(dim=0)
    assert float(ratio.log2().abs().max()) <= 1.001
    assert float((layer.main_out @ layer.main_in - main.expand()).abs().max()) <= 1e-5 * float(
        main.expand().abs().max()
    )
    back = layer.branches()
    assert back.corrective is not None
    assert torch.equal(back.main.inner, main.inner)
    assert torch.equal(back.main.outer, main.outer)
    assert torch.equal(back.corrective.inner, inner[4:])
    assert torch.equal(back.corrective.outer, outer[:, 4:])


def test_the_residual_start_is_truncation_and_the_zero_start_is_less() -> None:
    linear = a_linear()
    parts = parts_of(linear)
    generator = torch.Generator().manual_seed(1)
    begun = split(parts, 12, 4, Start.RESIDUAL, generator).joined().expand()
    assert torch.allclose(begun, truncate(linear.weight.detach(), 12).expand(), atol=ROUNDING)
    begun = split(parts, 12, 4, Start.ZERO, generator).joined().expand()
    assert torch.allclose(begun, truncate(linear.weight.detach(), 8).expand(), atol=ROUNDING)


def test_only_the_branch_is_trained_unless_asked_for() -> None:
    linear = a_linear()
    branches = split(parts_of(linear), 12, 4, Start.ZERO, torch.Generator())
    layer = CorrectedLinear(linear, branches)
    assert set(layer.trained(factors=False)) == {"corrective_in", "corrective_out"}
    assert len(layer.trained(factors=True)) == 4


def test_low_rank_plus_sparse_begins_as_the_whole() -> None:
    linear = a_linear()
    layer = SparseLinear(linear, truncate(linear.weight.detach(), 3))
    x = torch.randn(7, 48)
    assert torch.allclose(layer(x), linear(x), atol=ROUNDING)


def test_the_columns_that_matter_to_the_loss_stay() -> None:
    linear = a_linear()
    layer = SparseLinear(linear, truncate(linear.weight.detach(), 3))
    generator = torch.Generator().manual_seed(2)
    for _ in range(4):
        x = torch.randn(20, 48, generator=generator)
        x[:, :40] = 0.0  # nothing comes through these
        layer.sparse.grad = None
        layer(x).square().sum().backward()
        layer.look(0.5)
    layer.keep_columns(8)
    assert layer.mask.nonzero()[:, 0].tolist() == list(range(40, 48))
    assert int(layer.dense_part().abs().sum(dim=0).count_nonzero()) == 8


@given(st.integers(1, 300), st.integers(1, 100), st.integers(0, 99), st.floats(0.05, 0.95))
def test_columns_fall_to_what_is_kept_and_stay_there(
    steps: int, columns: int, kept: int, settled: float
) -> None:
    kept = min(kept, columns)
    counts = [columns_at(step, steps, columns, kept, settled) for step in range(steps)]
    assert counts == sorted(counts, reverse=True)
    assert all(kept <= count <= columns for count in counts)
    if steps > 1:
        assert counts[-1] == kept


@given(st.integers(8, 300), st.integers(8, 300), st.floats(0.2, 0.95), st.floats(0.1, 0.9))
def test_a_share_of_the_parameters_is_never_exceeded_by_more_than_the_least(
    rows: int, depth: int, keep: float, low_rank: float
) -> None:
    size = Size(rows, depth)
    found = amounts(size, keep, low_rank)
    held = size.factored(found.rank) + found.columns * rows
    assert held <= max(keep * size.parameters, size.factored(1) + rows)
