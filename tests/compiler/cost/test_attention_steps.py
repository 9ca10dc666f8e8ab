"""Every key and value passes through the tiles once per pass, and no tile is too small."""

from __future__ import annotations

from collections import Counter
from math import prod

from hypothesis import given
from hypothesis import strategies as st

from aretusa.cost.attention import attention_call
from aretusa.cost.attention_steps import AttentionShape, Part, passes, steps


@st.composite
def shapes(draw: st.DrawFn) -> AttentionShape:
    """Few and many tokens, positions and tiles."""
    tokens = draw(st.integers(1, 9))
    kv_heads, repeat = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    position = draw(st.integers(0, 200))
    return AttentionShape(
        tokens=tokens,
        heads=kv_heads * repeat,
        kv_heads=kv_heads,
        dim=draw(st.integers(1, 70)),
        position=position,
        context=position + tokens + draw(st.integers(0, 50)),
        tile_positions=8 * draw(st.integers(1, 20)),
        scores_bytes=draw(st.sampled_from([0, 4000, 20000])),
        key_bits=draw(st.sampled_from([4, 8])),
        value_bits=draw(st.sampled_from([4, 8])),
    )


@given(shapes())
def test_the_passes_take_each_token_with_each_head_once(shape: AttentionShape) -> None:
    items = [one.heads * one.tokens for one in passes(shape)]
    assert sum(items) == shape.kv_heads * shape.tokens
    scores = max(items) * shape.repeat * shape.context * 4
    assert scores <= shape.scores_bytes or max(items) == 1


@given(shapes())
def test_the_steps_of_a_part_take_each_position_of_each_head_once(shape: AttentionShape) -> None:
    for one in passes(shape):
        taken = Counter(
            (step.part, step.head + head, position)
            for step in steps(shape, one)
            for head in range(step.heads)
            for position in range(step.position, step.end)
        )
        assert set(taken.values()) == {1}
        assert len(taken) == prod((len(Part), one.heads, one.visible))


@given(shapes())
def test_no_step_copies_more_than_a_tile_holds(shape: AttentionShape) -> None:
    for one in passes(shape):
        ends = [step.part for step in steps(shape, one) if step.ends_part]
        assert ends == list(Part)
        assert all(step.copied_bytes(shape) <= shape.tile_bytes for step in steps(shape, one))


@given(shapes())
def test_a_barrier_stands_before_each_step_and_before_the_codes(shape: AttentionShape) -> None:
    every = list(passes(shape))
    names = [phase.name for phase in attention_call(8, shape).phases]
    assert len(names) == 1 + sum(1 + len(list(steps(shape, one))) for one in every)
    assert names.count("encode") == len(every)
