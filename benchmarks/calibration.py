"""Put published figures beside ours: `make calibration` writes the tables of docs/simulator.md.

Without --write the tables are printed. --only calibration leaves out the predictions, which plan
models and take a minute.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibration_chips import chip_group
from calibration_deeploy import deeploy_groups
from calibration_engine import engine_groups
from calibration_links import link_group
from calibration_rows import Group, check_errors
from markdown_text import count, paragraph, table
from predicted_decode import prediction_lines
from subjects import ROOT
from virtual_platform_tables import compared, platform_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from calibration_rows import Row

PAGE: Final = ROOT / "docs" / "simulator.md"
TABLE: Final = "calibration"
PREDICTIONS: Final = "predictions"
PLATFORM: Final = "virtual platform"
MEDIAN_GOAL: Final = 0.10
WORST_GOAL: Final = 0.25
SMALL: Final = 40  # below it figures are shown with a decimal


def groups() -> tuple[Group, ...]:
    """All published figures beside ours."""
    return (*engine_groups(), link_group(), *deeploy_groups(), chip_group())


def calibration_lines(found: Iterable[Group]) -> Iterator[str]:
    """The tables, in Markdown."""
    every = tuple(found)
    errors = check_errors(every)
    yield from paragraph(
        f"Independent rows: {errors.count}. Median absolute error {100 * errors.median:.1f} % "
        f"(goal {100 * MEDIAN_GOAL:.0f} %), worst {100 * errors.worst:.1f} % "
        f"(goal {100 * WORST_GOAL:.0f} %): {errors.worst_row}."
    )
    for group in every:
        yield f"### {group.title}"
        yield ""
        yield from paragraph(f"Source: {group.source}. Unit: {group.unit}.")
        yield from table(("", "theirs", "ours", "error", "use", "note"), map(_cells, group.rows))


def _cells(row: Row) -> tuple[str, ...]:
    error = f"{100 * row.error:+.1f} %"
    return row.what, _figure(row.published), _figure(row.ours), error, row.use, row.note


def _figure(value: float) -> str:
    """Small ones with a decimal."""
    return f"{value:.1f}" if value < SMALL else count(value)


def replaced(page: str, part: str, lines: Iterable[str]) -> str:
    """The page with what stands between the marks of a part replaced."""
    first, last = marks(part)
    before, _, rest = page.partition(first)
    _, end, after = rest.partition(last)
    assert end, f"{PAGE.name} has no marks of {part}"
    text = "\n".join(lines).rstrip()
    return f"{before}{first}\n\n{text}\n\n{last}{after}"


def marks(part: str) -> tuple[str, str]:
    """The comments around a generated part."""
    return f"<!-- {part}: written by make calibration -->", f"<!-- end of {part} -->"


def main() -> int:
    """Print or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the parts of the page")
    parser.add_argument("--only", choices=(TABLE, PREDICTIONS, PLATFORM), help="one part")
    arguments = parser.parse_args()
    parts = {
        TABLE: lambda: calibration_lines(groups()),
        PLATFORM: lambda: platform_lines(compared()),
        PREDICTIONS: prediction_lines,
    }
    page = PAGE.read_text("utf-8")
    for part, lines in parts.items():
        if arguments.only not in {None, part}:
            continue
        found = list(lines())
        page = replaced(page, part, found)
        if not arguments.write:
            print("\n".join(found))
    if arguments.write:
        Path(PAGE).write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
