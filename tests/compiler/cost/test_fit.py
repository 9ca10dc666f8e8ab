"""The tables of kernel costs agree with what kernels execute at shapes they were not made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from instruction_mix import MixCounter
from kernel_costs import count_calls, errors, least_squares
from required_tools import skip_or_fail
from shape_lists import held_out_samples
from team_programs import is_available

from aretusa.target.description import Kernels

if TYPE_CHECKING:
    from pathlib import Path

# Of a call's instructions, and of its cycles, which depend on what the core's small cache holds.
INSTRUCTIONS: Final = 0.05
CYCLES: Final = 0.1


@pytest.mark.slow
@pytest.mark.clang
@pytest.mark.parametrize("kernels", list(Kernels), ids=lambda kernels: kernels.value)
def test_the_table_holds_at_odd_shapes(tmp_path: Path, kernels: Kernels) -> None:
    if not is_available():
        skip_or_fail("needs clang-19 and lld-19")
    calls = count_calls(MixCounter(tmp_path, kernels.value), held_out_samples())
    wrong = [
        f"{call.case} on {call.cores} cores: {instructions:+.1%}, cycles {cycles:+.1%}"
        for call, instructions, cycles in errors(calls, kernels)
        if abs(instructions) > INSTRUCTIONS or abs(cycles) > CYCLES
    ]
    assert wrong == []


def test_the_fit_finds_what_made_the_counts_and_no_negative_share() -> None:
    work = np.array([[1, 4, 0], [1, 9, 3], [1, 25, 1], [1, 2, 7]], np.float64)
    assert least_squares(work, work @ [10, 3, 0.5]) == pytest.approx([10, 3, 0.5])
    assert min(least_squares(work, work @ [10, 3, -2])) >= 0
