"""The kernels for the chip's cores equal the NumPy reference in every bit.

Both kinds run: X_xpulp.c, which nothing but this machine and the chip can run, and X.c as the
chip's compiler makes it. Accesses beside an array, misaligned ones and stores to code are errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import case_catalogue
import numpy as np
import placed_catalogue
import pytest
from cache_cases import AttentionShape, random_attention_case
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import (
    HeadTransform,
    heads_case,
    normal,
    quantise_case,
    rmsnorm_case,
    silu_mul_case,
)

if TYPE_CHECKING:
    from team_programs import TeamProgram

SEEDS = st.integers(0, 2**32 - 1)
# Fixtures of a session are the same for every example.
EXAMPLES = settings(max_examples=15, deadline=None)
pytestmark = pytest.mark.clang


@pytest.mark.parametrize("cores", [1, 8])
@pytest.mark.parametrize("group", ["linear", "row", "head", "sample", "function"])
def test_kernels_equal_the_reference(team: TeamProgram, group: str, cores: int) -> None:
    team.run(getattr(case_catalogue, f"{group}_cases")(), cores)


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 3, 8])
def test_placed_kernels_equal_the_reference(team: TeamProgram, cores: int) -> None:
    team.run(placed_catalogue.catalogue(), cores)


@pytest.mark.slow
def test_the_order_of_the_cores_changes_nothing(team: TeamProgram) -> None:
    """What a core writes, no other one reads or writes before the next barrier."""
    team.run(case_catalogue.catalogue(), 8, is_backward=True)
    team.run(placed_catalogue.catalogue(), 8, is_backward=True)


@st.composite
def shapes(draw: st.DrawFn) -> AttentionShape:
    """Attention of any shape; heads of whole words have loops of their own."""
    position, tokens = draw(st.integers(0, 300)), draw(st.integers(1, 4))
    kv_heads = draw(st.integers(1, 9))
    return AttentionShape(
        tokens=tokens,
        heads=kv_heads * draw(st.integers(1, 3)),
        kv_heads=kv_heads,
        dim=draw(st.integers(1, 40) | st.sampled_from([4, 8, 16, 64])),
        position=position,
        context=position + tokens + draw(st.integers(0, 20)),
        tile_positions=8 * draw(st.integers(1, 100)),
        scores_bytes=draw(st.integers(0, 40000)),
        key_bits=draw(st.sampled_from([4, 8])),
        value_bits=draw(st.sampled_from([4, 8])),
    )


@EXAMPLES
@given(seed=SEEDS, shape=shapes(), cores=st.integers(1, 8))
def test_attention_of_any_shape(
    *, team: TeamProgram, seed: int, shape: AttentionShape, cores: int
) -> None:
    team.run([random_attention_case(np.random.default_rng(seed), shape)], cores)


@EXAMPLES
@given(
    seed=SEEDS,
    tokens=st.integers(1, 9),
    depth=st.integers(1, 700),
    exponent=st.integers(-40, 15),
    cores=st.integers(1, 8),
)
def test_row_kernels_of_any_shape(
    *, team: TeamProgram, seed: int, tokens: int, depth: int, exponent: int, cores: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = normal(rng, tokens, depth, scale=10.0**exponent)
    gate = normal(rng, tokens, depth, scale=30)
    cases = [
        quantise_case(rows),
        rmsnorm_case(rows, normal(rng, depth), 1e-5),
        silu_mul_case(gate, rows),
    ]
    team.run(cases, cores)


@EXAMPLES
@given(seed=SEEDS, tokens=st.integers(1, 5), depth=st.integers(1, 300), step=st.integers(0, 8))
def test_values_next_to_ties(
    *, team: TeamProgram, seed: int, tokens: int, depth: int, step: int
) -> None:
    """A row whose quotients lie at, or a few steps of binary32 beside, halves of integers."""
    rng = np.random.default_rng(seed)
    rows = (rng.integers(-254, 255, (tokens, depth)) / 2).astype(np.float32)
    rows[:, 0] = 127
    for _ in range(step):
        rows[:, 1:] = np.nextafter(rows[:, 1:], np.float32(rng.choice([-200.0, 200.0])))
    scale = np.float32(2.0 ** rng.integers(-20, 20) * rng.uniform(1, 2))
    team.run([quantise_case(rows), quantise_case(rows * scale)], 8)


@EXAMPLES
@given(seed=SEEDS, heads=st.integers(1, 9), half=st.integers(1, 64), cores=st.integers(1, 8))
def test_heads_of_any_shape(
    *, team: TeamProgram, seed: int, heads: int, half: int, cores: int
) -> None:
    rng = np.random.default_rng(seed)
    cosine, sine = case_catalogue.rope_tables(16, 2 * half)
    transform = HeadTransform(
        norm_weight=normal(rng, 2 * half), norm_eps=1e-6, cosine=cosine, sine=sine
    )
    team.run([heads_case(normal(rng, 2, heads, 2 * half), transform, 3)], cores)
