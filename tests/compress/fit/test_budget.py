"""Budgets as users write them."""

from __future__ import annotations

import pytest

from aretusa_compress.fit.budget import Budget, Quantity, parse_budget


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mram=4MiB", Budget(Quantity.MRAM, 4 * 2**20)),
        ("mram <= 1500 kB", Budget(Quantity.MRAM, 1_500_000)),
        ("tokens_per_s>=400", Budget(Quantity.TOKENS_PER_S, 400)),
        ("uj<=2.5", Budget(Quantity.UJ, 2.5)),
        ("bits<=5", Budget(Quantity.BITS, 5)),
    ],
)
def test_a_budget_is_read(text: str, expected: Budget) -> None:
    assert parse_budget(text) == expected
    assert parse_budget(expected.text) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("4MiB", "is no budget"),
        ("flash=4MiB", "is no quantity"),
        ("tokens_per_s<=4", "other side"),
        ("uJ>=4", "other side"),
        ("bits<=5MiB", "is no unit"),
        ("mram=4mib", "is no unit"),
        ("bits<=1.2.3", "is no number"),
        ("mram=0", "more than 0"),
    ],
)
def test_what_is_no_budget_says_why(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        parse_budget(text)


def test_more_tokens_and_fewer_bits_are_within_a_budget() -> None:
    assert Budget(Quantity.TOKENS_PER_S, 5).allows(6)
    assert not Budget(Quantity.TOKENS_PER_S, 5).allows(4.9)
    assert Budget(Quantity.BITS, 5).allows(5)
    assert not Budget(Quantity.BITS, 5).allows(5.1)
