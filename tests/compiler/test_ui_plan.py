from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from plan_reports import hostile_report, plan_report, short_report
from rich.console import Console

from aretusa.report.numbers import bytes_text, memory_text
from aretusa.ui_plan import layer_ranges, print_plan

if TYPE_CHECKING:
    from aretusa.plan_results import PlanReport

WIDTH = 80


def printed(plan: PlanReport) -> list[str]:
    out = io.StringIO()
    print_plan(plan, Console(file=out, width=WIDTH))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def line_of(lines: list[str], start: str) -> list[str]:
    return next(line for line in lines if line.startswith(start)).split()


@pytest.mark.parametrize(
    ("layers", "text"),
    [([], ""), ([3], "3"), ([0, 1, 2], "0-2"), ([0, 2, 3, 5], "0, 2-3, 5"), ([7, 8], "7-8")],
)
def test_layers_are_written_as_ranges(layers: list[int], text: str) -> None:
    assert layer_ranges(layers) == text


def test_a_plan_is_printed() -> None:
    lines = printed(plan_report())
    assert max(map(len, lines)) <= WIDTH
    assert line_of(lines, "L1")[:8] == ["L1", "182.0", "KiB", "220.0", "KiB", "82.7", "%", "146.0"]
    assert line_of(lines, "decode")[2] == "tokens/s,"
    assert line_of(lines, "placement")[1:4] == ["at", "most", "1.3"]
    assert "note" in line_of(lines, "note")[0]
    assert not any(line.startswith("no fit") for line in lines)


def test_the_caches_have_a_line() -> None:
    plan = plan_report()
    caches = [region for region in plan.regions if region.kind == "cache"]
    size = bytes_text(sum(region.size_bytes for region in caches)).split()
    words = ["cache", "8", "bits,", *size, "for", "all", "positions,", "in"]
    assert line_of(printed(plan), "cache")[: len(words)] == words
    assert line_of(printed(plan), "cache")[-1] == memory_text(caches[-1].memory)


def test_layers_that_look_alike_share_a_line() -> None:
    lines = printed(plan_report())
    down = [line.split() for line in lines if " mlp.down_proj " in line]
    assert [row[0] for row in down] == ["0-4", "5-7"]
    assert down[0][2:6] == ["cluster", "w4g32", "MRAM", "4x64"]
    assert sum("rmsnorm" in line for line in lines) == 1


def test_an_operation_that_a_layer_has_twice_says_so() -> None:
    plan = plan_report()
    doubled = [row for row in plan.layers for _ in range(1 + (row.name == "rmsnorm"))]
    lines = printed(plan.model_copy(update={"layers": doubled}))
    assert any(line.startswith("0-7     rmsnorm x2 ") for line in lines)


def test_the_same_name_outside_the_layers_stands_alone() -> None:
    plan = plan_report()
    renamed = [
        row.model_copy(update={"name": "rmsnorm"}) if row.name == "final norm" else row
        for row in plan.layers
    ]
    lines = printed(plan.model_copy(update={"layers": renamed}))
    norms = [line for line in lines if " rmsnorm " in line]
    assert [line[:8].strip() for line in norms] == ["0-7", ""]


def test_many_layers_are_at_most_as_many_lines_as_kinds() -> None:
    assert len(printed(plan_report(60, rolled=False))) < 60


def test_a_short_plan_names_the_ways_out() -> None:
    lines = printed(short_report())
    assert any(line.startswith("no fit    L2 is 175.8 KiB short: cache") for line in lines)
    assert line_of(lines, "half the context")[3:] == [
        *("--context", "256", "yes", "5.40", "M", "per", "token")
    ]
    assert line_of(lines, "4-bit weights")[2:] == ["--weights", "w4", "no"]


def test_names_are_no_markup() -> None:
    lines = printed(hostile_report("[red]x[/nothing]"))
    assert sum("[red]x[/nothing]" in line for line in lines) > 5
