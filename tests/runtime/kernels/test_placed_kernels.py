"""Attention, its caches and embedding equal the reference wherever their operands lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import placed_catalogue
import pytest
from cache_cases import AttentionShape, random_attention_case
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

    from kernel_cases import Case
    from kernel_programs import BareMetal, HostLibrary, SanitizedProgram

SEEDS = st.integers(0, 2**32 - 1)
HOMES = st.sampled_from(placed_catalogue.HOMES)
# Fixtures of a session are the same for every example.
EXAMPLES = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize("cores", [1, 3, 8])
@pytest.mark.parametrize("group", ["append", "attention", "steps", "embed", "scratch"])
def test_placed_kernels_equal_the_reference(host: HostLibrary, group: str, cores: int) -> None:
    cases: list[Case] = getattr(placed_catalogue, f"{group}_cases")()
    host.check(cases, cores)


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 8])
def test_no_access_leaves_its_memory(
    sanitized: SanitizedProgram, cores: int, tmp_path: Path
) -> None:
    sanitized.check(placed_catalogue.catalogue(), cores, tmp_path)


@pytest.mark.slow
def test_cores_meet_at_barriers_only(threads: SanitizedProgram, tmp_path: Path) -> None:
    threads.check(placed_catalogue.catalogue(), 4, tmp_path)


@pytest.mark.slow
@pytest.mark.qemu
def test_rv32_gives_the_same_bits(bare_metal: BareMetal) -> None:
    bare_metal.check(placed_catalogue.catalogue())


@st.composite
def shapes(draw: st.DrawFn) -> AttentionShape:
    """Attention of any shape, tiled in any way, with its caches anywhere."""
    position, tokens = draw(st.integers(0, 600)), draw(st.integers(1, 5))
    kv_heads = draw(st.integers(1, 3))
    return AttentionShape(
        tokens=tokens,
        heads=kv_heads * draw(st.integers(1, 4)),
        kv_heads=kv_heads,
        dim=draw(st.integers(1, 40)),
        position=position,
        context=position + tokens + draw(st.integers(0, 20)),
        tile_positions=8 * draw(st.integers(1, 100)),
        scores_bytes=draw(st.integers(0, 40000)),
        key_bits=draw(st.sampled_from([4, 8])),
        value_bits=draw(st.sampled_from([4, 8])),
        keys=draw(HOMES),
        values=draw(HOMES),
    )


@EXAMPLES
@given(seed=SEEDS, shape=shapes(), cores=st.integers(1, 8))
def test_attention_of_any_shape(
    *, host: HostLibrary, seed: int, shape: AttentionShape, cores: int
) -> None:
    host.check([random_attention_case(np.random.default_rng(seed), shape)], cores)
