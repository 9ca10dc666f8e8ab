"""A comparison as CSV: one line per metric, and one per op."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.report.tables import csv_text

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_sim.compare_results import CompareResult, CompareRow

METRICS_FILE: Final = "compare_metrics.csv"
OPS_FILE: Final = "compare_ops.csv"


def write_comparison(directory: Path, result: CompareResult) -> list[Path]:
    """Both tables; returns their files."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {METRICS_FILE: metrics_csv(result), OPS_FILE: ops_csv(result)}
    for name, text in texts.items():
        (directory / name).write_text(text, "utf-8", newline="")
    return [directory / name for name in texts]


def metrics_csv(result: CompareResult) -> str:
    """The fields of MetricChange."""
    columns = ["metric", "unit", "before", "after", "change", "relative"]
    return csv_text(columns, [_whole(metric.model_dump()) for metric in result.metrics])


def ops_csv(result: CompareResult) -> str:
    """Every op: cycles, what they consist of, and two columns for each amount that differs."""
    parts = list(dict.fromkeys(name for row in result.rows for name in row.parts))
    amounts = list(dict.fromkeys(name for row in result.rows for name in row.amounts))
    columns = ["phase", "layer", "name", "op", "a_cycles", "b_cycles", "change_cycles"]
    columns += ["contribution", *(f"change_{name}" for name in parts)]
    columns += [f"{side}_{name}" for name in amounts for side in ("a", "b")]
    columns += ["why"]
    return csv_text(columns, [_row(row, columns) for row in result.rows])


def _row(row: CompareRow, columns: list[str]) -> dict[str, object]:
    found: dict[str, object] = dict.fromkeys(columns)
    found |= row.model_dump(
        include={"phase", "layer", "name", "op", "change_cycles", "contribution", "why"}
    )
    found |= {"a_cycles": row.cycles.before, "b_cycles": row.cycles.after}
    found |= {f"change_{name}": change for name, change in row.parts.items()}
    for name, both in row.amounts.items():
        found |= {f"a_{name}": both.before, f"b_{name}": both.after}
    return _whole(found)


def _whole(row: dict[str, object]) -> dict[str, object]:
    """Whole numbers without a point."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in row.items()
    }
