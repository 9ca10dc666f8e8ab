"""Every kernel equals the NumPy reference in every bit, whatever the number of cores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import case_catalogue
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import (
    Case,
    HeadTransform,
    heads_case,
    linear_case,
    normal,
    quantise_case,
    random_matrix,
    random_rows,
    rmsnorm_case,
    sample_case,
    silu_mul_case,
)
from kernel_programs import NO_FLOAT_REGISTERS, BareMetal

if TYPE_CHECKING:
    from pathlib import Path

    from kernel_programs import HostLibrary, SanitizedProgram

CORES = (1, 2, 4, 8)
SEEDS = st.integers(0, 2**32 - 1)
# Fixtures of a session are the same for every example.
EXAMPLES = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize("cores", CORES)
@pytest.mark.parametrize(
    "group",
    ["linear", "row", "head", "sample", "function", "crc"],
)
def test_kernels_equal_the_reference(host: HostLibrary, group: str, cores: int) -> None:
    cases: list[Case] = getattr(case_catalogue, f"{group}_cases")()
    host.check(cases, cores)


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 8])
def test_no_access_leaves_its_array(
    sanitized: SanitizedProgram, cores: int, tmp_path: Path
) -> None:
    sanitized.check(case_catalogue.catalogue(), cores, tmp_path)


@pytest.mark.slow
@pytest.mark.qemu
def test_rv32_gives_the_same_bits(bare_metal: BareMetal) -> None:
    bare_metal.check(case_catalogue.catalogue())


@pytest.mark.slow
@pytest.mark.zfinx
def test_cores_without_float_registers_give_the_same_bits(tmp_path: Path) -> None:
    BareMetal.build(tmp_path, NO_FLOAT_REGISTERS).check(case_catalogue.catalogue())


@EXAMPLES
@given(
    seed=SEEDS,
    form=st.sampled_from(case_catalogue.FORMS),
    rows=st.integers(1, 40),
    depth=st.integers(1, 300),
    tokens=st.integers(1, 5),
    cores=st.integers(1, 8),
)
def test_linear_of_any_shape(
    *,
    host: HostLibrary,
    seed: int,
    form: tuple[int, int, bool],
    rows: int,
    depth: int,
    tokens: int,
    cores: int,
) -> None:
    rng = np.random.default_rng(seed)
    width, group, minimums = form
    matrix = random_matrix(rng, (rows, depth), width, group, minimums=minimums)
    bias, residual = normal(rng, rows), normal(rng, tokens, rows)
    case = linear_case(matrix, *random_rows(rng, tokens, depth), bias=bias, residual=residual)
    host.check([case], cores)


@EXAMPLES
@given(
    seed=SEEDS,
    tokens=st.integers(1, 9),
    depth=st.integers(1, 700),
    exponent=st.integers(-40, 15),
    cores=st.integers(1, 8),
)
def test_row_kernels_of_any_shape(
    *, host: HostLibrary, seed: int, tokens: int, depth: int, exponent: int, cores: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = normal(rng, tokens, depth, scale=10.0**exponent)
    gate = normal(rng, tokens, depth, scale=30)
    cases = [
        quantise_case(rows),
        rmsnorm_case(rows, normal(rng, depth), 1e-5),
        silu_mul_case(gate, rows),
    ]
    host.check(cases, cores)


@EXAMPLES
@given(
    seed=SEEDS,
    tokens=st.integers(1, 6),
    heads=st.integers(1, 9),
    half=st.integers(1, 128),
    position=st.integers(0, 10),
    cores=st.integers(1, 8),
)
def test_heads_of_any_shape(
    *, host: HostLibrary, seed: int, tokens: int, heads: int, half: int, position: int, cores: int
) -> None:
    rng = np.random.default_rng(seed)
    cosine, sine = case_catalogue.rope_tables(16, 2 * half)
    transform = HeadTransform(
        norm_weight=normal(rng, 2 * half), norm_eps=1e-6, cosine=cosine, sine=sine
    )
    host.check([heads_case(normal(rng, tokens, heads, 2 * half), transform, position)], cores)


@EXAMPLES
@given(
    seed=SEEDS,
    count=st.integers(1, 3000),
    temperature=st.floats(1 / 64, 8, width=32),
    top_p=st.floats(1 / 1024, 1, width=32),
    state=st.integers(0, 2**64 - 1),
)
def test_sampling_chooses_the_same_tokens(
    *, host: HostLibrary, seed: int, count: int, temperature: float, top_p: float, state: int
) -> None:
    logits = normal(np.random.default_rng(seed), count, scale=5)
    host.check([sample_case(logits, temperature, top_p, state, 4)], 1)
