"""The table of kernel costs agrees with what the kernels execute at shapes it was not made from."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from instruction_mix import MixCounter
from kernel_costs import count_calls, errors, least_squares
from required_tools import skip_or_fail
from shape_lists import held_out_samples

if TYPE_CHECKING:
    from pathlib import Path

# Of instructions and of cycles of a call.
TOLERANCE: Final = 0.05


@pytest.mark.slow
@pytest.mark.qemu
def test_the_table_is_within_five_percent_at_odd_shapes(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        skip_or_fail("needs gcc, which builds the plugin")
    calls = count_calls(MixCounter(tmp_path), held_out_samples())
    wrong = [
        f"{call.case} on {call.cores} cores: {instructions:+.1%}, cycles {cycles:+.1%}"
        for call, instructions, cycles in errors(calls)
        if max(abs(instructions), abs(cycles)) > TOLERANCE
    ]
    assert wrong == []


def test_the_fit_finds_what_made_the_counts_and_no_negative_share() -> None:
    work = np.array([[1, 4, 0], [1, 9, 3], [1, 25, 1], [1, 2, 7]], np.float64)
    assert least_squares(work, work @ [10, 3, 0.5]) == pytest.approx([10, 3, 0.5])
    assert min(least_squares(work, work @ [10, 3, -2])) >= 0
