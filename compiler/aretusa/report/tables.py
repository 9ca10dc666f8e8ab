"""The tables of a report as CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from aretusa.plan_results import LayerResult, RegionResult, TierResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aretusa.manifest import Record
    from aretusa.plan_results import PlanReport

# A spreadsheet takes a text that begins like this for a formula (OWASP, "CSV Injection").
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_KINDS: Final = "bytes_by_kind"


def layers_csv(report: PlanReport) -> str:
    """One line per operation and layer; the columns are the fields of LayerResult."""
    return csv_text(list(LayerResult.model_fields), map(_fields, report.layers))


def regions_csv(report: PlanReport) -> str:
    """One line per region; the columns are the fields of RegionResult."""
    return csv_text(list(RegionResult.model_fields), map(_fields, report.regions))


def tiers_csv(report: PlanReport) -> str:
    """One line per memory: the fields of TierResult, then a column of bytes per kind."""
    kinds = list(dict.fromkeys(kind for tier in report.tiers for kind in tier.bytes_by_kind))
    plain = [name for name in TierResult.model_fields if name != _KINDS]
    rows = [
        _fields(tier) | {_column(kind): tier.bytes_by_kind.get(kind, 0) for kind in kinds}
        for tier in report.tiers
    ]
    return csv_text([*plain, *map(_column, kinds)], rows)


def _column(kind: str) -> str:
    """A kind's column; the prefix keeps it apart from the fields."""
    return f"kind_{kind.replace(' ', '_')}_bytes"


def _fields(record: Record) -> dict[str, object]:
    return record.model_dump()


def csv_text(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> str:
    """Rows under their columns; nulls are empty, and no text is a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # lines end with CR LF, as RFC 4180 has it
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """Numbers as they are, null as nothing, a text never as a formula."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() if value.startswith(_FORMULA_STARTS):
            return f"'{value}"
        case _:
            return value
