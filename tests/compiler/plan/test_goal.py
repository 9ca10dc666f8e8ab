"""The request that a plan is made for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.plan.goal import DEFAULT_DECODE, DEFAULT_PREFILL, Goal

sizes = st.integers(1, 5000)


@given(context=sizes, prefill=st.none() | sizes, decode=st.none() | sizes)
def test_a_request_fits_its_context(context: int, prefill: int | None, decode: int | None) -> None:
    goal = Goal.within(context, prefill, decode)
    assert 1 <= goal.prefill_tokens <= context
    assert goal.decode_tokens >= 1
    assert goal.prefill_tokens + goal.decode_tokens <= max(context, goal.prefill_tokens + 1)


def test_the_usual_request() -> None:
    assert Goal.within(512) == Goal(prefill_tokens=DEFAULT_PREFILL, decode_tokens=DEFAULT_DECODE)
    assert Goal.within(512, 100, 7) == Goal(prefill_tokens=100, decode_tokens=7)


@given(tokens=sizes, chunk=st.integers(1, 64))
def test_chunks_are_the_tokens_of_the_prompt(tokens: int, chunk: int) -> None:
    counts = Goal(prefill_tokens=tokens, decode_tokens=1).chunks(chunk)
    assert sum(size * count for size, count in counts.items()) == tokens
    assert all(0 < size <= chunk and count > 0 for size, count in counts.items())
    assert sum(counts.values()) == -(-tokens // chunk)


@pytest.mark.parametrize(("prefill", "decode", "position"), [(64, 64, 96), (1, 1, 1), (10, 3, 11)])
def test_one_decode_step_stands_for_all(prefill: int, decode: int, position: int) -> None:
    assert Goal(prefill_tokens=prefill, decode_tokens=decode).decode_position == position
