"""The instruction counts stay within the budgets that the speed of the program rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from count_instructions import count, linear_cases

if TYPE_CHECKING:
    from kernel_programs import BareMetal

# Instructions per multiply-accumulate, tokens = 1: bits and group -> at most.
BUDGETS = {
    "w8 group 0": 3.28,
    "w8 group 32": 3.5,
    "w4 group 0": 2.45,
    "w4 group 32 zero 8": 2.75,
    "w4 group 32 zero 0": 2.97,
}


@pytest.mark.slow
@pytest.mark.qemu
def test_matrix_vector_products_keep_their_budgets(bare_metal: BareMetal) -> None:
    for row in count(bare_metal, [(case, case.macs) for case in linear_cases(1)]):
        for form, most in BUDGETS.items():
            if f"linear {form} " in row["kernel"]:
                assert row["per_unit"] <= most, row


@pytest.mark.slow
@pytest.mark.qemu
def test_counts_do_not_vary(bare_metal: BareMetal) -> None:
    cases = [(case, case.macs) for case in linear_cases(1)[:2]]
    assert count(bare_metal, cases) == count(bare_metal, cases)
