"""The browser, where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from headless_browser import PROGRAMS, LoadedPage, find_browser, load
from required_tools import skip_or_fail

from aretusa.report.page import report_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.plan_results import PlanReport

    OpenReport = Callable[..., LoadedPage]


@pytest.fixture(scope="session")
def browser() -> str:
    found = find_browser()
    if found is None:
        skip_or_fail(f"none of {', '.join(PROGRAMS)} is installed; make browser installs one")
    return found


@pytest.fixture
def open_report(browser: str, tmp_path: Path) -> OpenReport:
    """The report of a plan as the browser shows it, with `fragment` behind # in the address."""

    def open_(plan: PlanReport, fragment: str = "") -> LoadedPage:
        path = tmp_path / "report.html"
        path.write_text(report_page(plan), "utf-8")
        return load(browser, path, fragment)

    return open_
