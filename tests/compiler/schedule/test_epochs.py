"""Between two barriers no op touches what another op of the epoch writes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import lowered_graph, runnable_config

from aretusa.frontend.llama_config import Family
from aretusa.ir import ops
from aretusa.ir.types import DType, TensorType, Value
from aretusa.schedule.epochs import epochs, reads, writes
from aretusa.schedule.roll import roll

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.ir.ops import Op

TYPE = TensorType(("tokens", 8), DType.F32)
values = st.sampled_from([Value(name, TYPE) for name in "abcde"])
caches = st.sampled_from(["keys", "values"])
bodies = st.lists(
    st.one_of(
        st.builds(ops.Add, layer=st.just(0), lhs=values, rhs=values, out=values),
        st.builds(ops.Quantise, layer=st.just(0), src=values, out=values),
        st.builds(
            ops.HeadsQuantise,
            layer=st.just(0),
            src=values,
            norm_weight=st.none(),
            norm_eps=st.just(0.0),
            rope=st.booleans(),
            out=values,
        ),
        st.builds(
            ops.CacheAppend,
            layer=st.just(0),
            src=values,
            norm_weight=st.none(),
            norm_eps=st.just(0.0),
            rope=st.booleans(),
            cache=caches,
        ),
        st.builds(
            ops.CachedAttention,
            layer=st.just(0),
            query=values,
            key_cache=caches,
            value_cache=caches,
            out=values,
        ),
    ),
    max_size=20,
)


def conflict(one: Op, two: Op) -> bool:
    return bool(writes(one) & (reads(two) | writes(two)) or writes(two) & reads(one))


def check_independence(body: Sequence[Op]) -> None:
    for epoch in epochs(body):
        for index, one in enumerate(epoch):
            assert not any(conflict(one, two) for two in epoch[index + 1 :])


@given(bodies)
def test_ops_of_an_epoch_are_independent(body: list[Op]) -> None:
    check_independence(body)


@given(bodies)
def test_epochs_keep_every_op_in_order(body: list[Op]) -> None:
    assert [op for epoch in epochs(body) for op in epoch] == body
    assert all(epochs(body))


@given(bodies)
def test_no_barrier_is_wasted(body: list[Op]) -> None:
    cut = epochs(body)
    for before, after in itertools.pairwise(cut):
        assert any(conflict(one, after[0]) for one in before)


@pytest.mark.parametrize("family", Family)
def test_the_epochs_of_every_family_are_independent(family: Family) -> None:
    rolled = roll(lowered_graph(runnable_config(family)))
    for body in (rolled.prologue, *(kind.ops for kind in rolled.kinds), rolled.epilogue):
        check_independence(body)


def test_the_three_projections_and_the_two_gates_share_an_epoch() -> None:
    cut = epochs(roll(lowered_graph()).kinds[0].ops)
    widths = [sum(isinstance(op, ops.Linear) for op in epoch) for epoch in cut]
    assert [width for width in widths if width] == [3, 1, 2, 1]


def test_head_kernels_write_their_source() -> None:
    source, out = Value("a", TYPE), Value("b", TYPE)
    op = ops.HeadsQuantise(layer=0, src=source, norm_weight=None, norm_eps=0.0, rope=True, out=out)
    assert writes(op) == {"a", "b"}
