"""Decoded tokens on the virtual platform beside the simulator's: goals; both are current."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import virtual_platform
from calibration import PAGE, PLATFORM, replaced
from virtual_platform_tables import (
    MEASURED,
    OP_GOAL,
    TOTAL_GOAL,
    Compared,
    compared,
    platform_lines,
)

if TYPE_CHECKING:
    from pathlib import Path

MODELS = compared()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_tokens_and_ops_take_as_long_as_on_the_virtual_platform(model: Compared) -> None:
    assert abs(model.error) <= TOTAL_GOAL
    assert {op: model.op_error(op) for op in model.ops if abs(model.op_error(op)) > OP_GOAL} == {}


def test_terms_are_checked_on_models_that_did_not_choose_them() -> None:
    assert {model.model for model in MODELS if model.use == "check"} >= {"tiny-orator"}


def test_no_logit_differed() -> None:
    measured = json.loads(MEASURED.read_text("utf-8"))
    assert all(one["values"] > 0 and one["mismatches"] == 0 for one in measured)


def test_what_was_simulated_is_what_the_simulator_says_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual_platform, "WORK", tmp_path)
    one = next(one for one in json.loads(MEASURED.read_text("utf-8")) if one["kernels"] == "xpulp")
    found = virtual_platform.simulated_anew(one)["simulated_ops"]
    assert found == pytest.approx(one["simulated_ops"]), "virtual_platform.py --simulate writes it"


def test_the_page_is_current() -> None:
    page = PAGE.read_text("utf-8")
    assert replaced(page, PLATFORM, platform_lines(MODELS)) == page, "make calibration writes it"
