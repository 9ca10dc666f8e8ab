from __future__ import annotations

import pytest
from plan_reports import plan_report, short_report
from pydantic import BaseModel, ValidationError

from aretusa import plan_results
from aretusa.plan_results import PlanReport, RegionResult


def records() -> list[type[BaseModel]]:
    found = [value for value in vars(plan_results).values() if isinstance(value, type)]
    return [one for one in found if one.__module__ == plan_results.__name__]


@pytest.mark.parametrize("plan", [plan_report(), short_report()])
def test_a_plan_survives_its_text(plan: PlanReport) -> None:
    assert PlanReport.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize("record", records())
def test_every_field_is_described(record: type[BaseModel]) -> None:
    assert [name for name, field in record.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    "change",
    [
        {"fits": False},
        {"steps": []},
        {"surprise": 1},
        {"verb": "compile"},
        {"target": None},
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PlanReport.model_validate(plan_report().model_dump() | change)


@pytest.mark.parametrize(
    "change",
    [{"memory": "moon"}, {"size_bytes": -1}, {"first_step": 9, "last_step": 8}, {"last_step": 99}],
)
def test_a_region_lives_in_a_memory_and_in_the_steps(change: dict[str, object]) -> None:
    document = plan_report().model_dump()
    document["regions"][0] |= change
    with pytest.raises(ValidationError):
        PlanReport.model_validate(document)


def test_a_record_is_frozen() -> None:
    region = plan_report().regions[0]
    assert isinstance(region, RegionResult)
    with pytest.raises(ValidationError):
        region.size_bytes = 1  # type: ignore[misc]
