"""report_build(): the plan of a build as a page, as tables and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from aretusa.errors import UsageError
from aretusa.manifest import PLAN_FILE, read_manifest
from aretusa.plan_results import PlanReport
from aretusa.report.page import report_page
from aretusa.report.tables import layers_csv, regions_csv, tiers_csv
from aretusa.results import ReportResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aretusa.report.pictures import Picture

PAGE: Final = "report.html"
DOCUMENT: Final = "report.json"


def read_plan(build: Path) -> PlanReport:
    """The plan that a build was made from; E0005 if the directory is no build."""
    read_manifest(build)
    try:
        return PlanReport.model_validate_json((build / PLAN_FILE).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as problem:
        raise UsageError(
            "E0005",
            "the build has no plan of this version",
            file=build / PLAN_FILE,
            why=str(problem).splitlines()[0],
            fix="Make it again with `aretusa compile MODEL -o DIRECTORY --force`",
        ) from problem


def report_build(
    build: Path, output: Path | None = None, pictures: Sequence[Picture] = ()
) -> ReportResult:
    """Write page, document and tables, into the build unless `output` names another directory.

    `pictures` become part of the page.
    """
    report = read_plan(build)
    directory = build / "report" if output is None else output
    texts = {
        PAGE: report_page(report, pictures),
        DOCUMENT: report.model_dump_json(indent=1) + "\n",
        "layers.csv": layers_csv(report),
        "regions.csv": regions_csv(report),
        "tiers.csv": tiers_csv(report),
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (directory / name).write_text(text, "utf-8", newline="")
    except OSError as problem:
        raise UsageError(
            "E0002",
            "cannot write the report there",
            file=directory,
            why=str(problem),
            fix="Give -o a directory that can be written",
        ) from problem
    return ReportResult(build=str(build), directory=str(directory), files=list(texts))
