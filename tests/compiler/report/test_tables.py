from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_reports import hostile_report, plan_report, short_report

from aretusa.plan_results import LayerResult, RegionResult
from aretusa.report.tables import layers_csv, regions_csv, tiers_csv


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_every_layer_is_a_line_with_every_field() -> None:
    plan = plan_report()
    rows = read(layers_csv(plan))
    assert list(rows[0]) == list(LayerResult.model_fields)
    assert [row["name"] for row in rows] == [row.name for row in plan.layers]
    assert [row["decode_cycles"] for row in rows] == [str(r.decode_cycles) for r in plan.layers]
    assert (rows[0]["layer"], rows[1]["memory"], rows[0]["paged"]) == ("", "", "false")


def test_every_region_is_a_line_with_every_field() -> None:
    plan = plan_report()
    rows = read(regions_csv(plan))
    assert list(rows[0]) == list(RegionResult.model_fields)
    assert [int(row["offset_bytes"]) for row in rows] == [r.offset_bytes for r in plan.regions]


def test_memories_have_a_column_for_each_kind() -> None:
    plan = plan_report()
    rows = read(tiers_csv(plan))
    assert [row["memory"] for row in rows] == ["l1", "l2", "sram", "mram", "l3"]
    assert "bytes_by_kind" not in rows[0]
    assert int(rows[1]["kind_cache_bytes"]) == plan.tiers[1].bytes_by_kind["cache"]
    assert rows[0]["kind_image_header_bytes"] == "0"


def test_a_plan_without_rows_keeps_its_heads() -> None:
    assert layers_csv(short_report()).startswith("layer,name,op,")
    assert read(regions_csv(short_report())) == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(start: str) -> None:
    name = f"{start}HYPERLINK(1)"
    plan = hostile_report(name)
    for row in read(layers_csv(plan)) + read(regions_csv(plan)):
        assert row["name"] == f"'{name}"


@given(name=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_is_read_back(name: str) -> None:
    plan = hostile_report(name)
    rows = read(regions_csv(plan))
    assert len(rows) == len(plan.regions)
    assert all(row["name"] in {name, f"'{name}"} for row in rows)
