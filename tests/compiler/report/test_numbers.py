from __future__ import annotations

import pytest
from plan_reports import plan_report

from aretusa.report.numbers import (
    bytes_text,
    count_text,
    gap_text,
    percent_text,
    rate_text,
    saving_text,
    share_text,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (2**20 - 1, "1024.0 KiB"),
        (2**20, "1.00 MiB"),
        (5 * 2**30, "5120.00 MiB"),
    ],
)
def test_a_size_names_its_unit(size: int, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1.00 k"), (1_234_567, "1.23 M"), (2 * 10**9, "2.00 G")],
)
def test_a_count_has_three_digits(count: int, text: str) -> None:
    assert count_text(count) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(0.0, "0.00"), (9.876, "9.88"), (42.42, "42.4"), (1234.5, "1,234")]
)
def test_a_slow_rate_has_more_digits(rate: float, text: str) -> None:
    assert rate_text(rate) == text


def test_a_share_of_nothing_is_zero() -> None:
    assert percent_text(0, 0) == "0.0 %"
    assert percent_text(1, 3) == "33.3 %"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0 %"), (0.000123, "0.012 %"), (0.0099, "0.99 %"), (0.0125, "1.2 %"), (1, "100.0 %")],
)
def test_a_small_share_keeps_two_digits(share: float, text: str) -> None:
    assert share_text(share) == text


def test_a_placement_is_put_into_words() -> None:
    placement = plan_report().placement
    assert placement is not None
    assert gap_text(placement) == "at most 1.3 % above the best for these buffers"
    assert saving_text(placement) == "17.4 % fewer cycles than first fit"
    even = placement.model_copy(update={"first_fit_cycles": placement.objective_cycles})
    assert saving_text(even) == "as many cycles as first fit"
    nothing = placement.model_copy(update={"first_fit_cycles": 0})
    assert saving_text(nothing).endswith("% more cycles than first fit")
    optimal = placement.model_copy(update={"status": "optimal", "gap": 0.0})
    assert gap_text(optimal) == "proven optimal"
    greedy = placement.model_copy(update={"status": "greedy"})
    assert gap_text(greedy) == "by a rule, without a bound"
