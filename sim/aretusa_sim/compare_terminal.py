"""How a comparison looks in a terminal of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from aretusa.report.numbers import bytes_text, count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from aretusa_sim.compare_results import CompareResult, CompareRow, MetricChange, SideResult

METRICS: Final = (
    "decode.tokens_per_s",
    "decode.cycles_per_token",
    "prefill.tokens_per_s",
    "prefill.cycles_per_token",
    "decode.uJ_per_token",
    "decode.linear_limit_fraction",
    "decode.macs_per_token",
    "decode.weight_port_bytes_per_token",
    "decode.dma_bytes_per_token",
    "decode.off_chip_bytes_per_token",
    "l1_peak_bytes",
    "l2_peak_bytes",
    "sram_peak_bytes",
    "mram_peak_bytes",
    "l3_peak_bytes",
)
ROWS: Final = 12  # of a phase, those that change most
LEAST: Final = 0.0005  # of all cycles of the phase: what changes less is not shown


def print_comparison(result: CompareResult, console: Console) -> None:
    """Sides, metrics, what changed most and why, gates; texts of a model are never markup."""
    for name, one in (("A", result.before), ("B", result.after)):
        console.print(Text(_side(name, one)), soft_wrap=True)
    for difference in result.setup:
        if difference.what not in {"model", "target", "weights", "context", "kind"}:
            text = f"{difference.what}: {difference.before} in A, {difference.after} in B"
            console.print(Text(f"note: {text}"), soft_wrap=True)
    console.print()
    console.print(_metrics(result))
    for phase in ("decode", "prefill"):
        rows = [row for row in result.groups if row.phase == phase]
        shown = [row for row in rows if row.change_cycles and _share(row) >= LEAST]
        console.print()
        if shown:
            console.print(_rows(phase, shown[:ROWS]))
        elif rows:
            console.print(Text(f"no op of {phase} takes another time"))
    if result.gates:
        console.print()
    for line in _gates(result):
        console.print(Text(line), soft_wrap=True)


def _side(name: str, side: SideResult) -> str:
    where = f" ({side.source})" if side.source else ""
    what = "simulated" if side.kind == "simulate" else "planned"
    return (
        f"{name}: {side.model} on {side.target}, {side.weights}, context {side.context}, "
        f"{what}{where}"
    )


def _metrics(result: CompareResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric")
    for heading in ("A", "B", "change"):
        table.add_column(heading, justify="right")
    known = {metric.metric: metric for metric in result.metrics}
    for name in METRICS:
        metric = known.get(name)
        if metric is not None and (metric.before or metric.after):
            table.add_row(name, *_numbers(metric))
    return table


def _numbers(metric: MetricChange) -> tuple[str, str, str]:
    old, new = (_value(metric.unit, value) for value in (metric.before, metric.after))
    if metric.change == 0:
        return old, new, "="
    return old, new, "" if metric.relative is None else _percent(metric.relative)


def _value(unit: str, value: float | None) -> str:
    if value is None:
        return ""
    if unit == "B":
        return bytes_text(round(value))
    if not unit:
        return f"{value:.3f}"
    return f"{value:,.2f}" if value < 1000 and unit in {"1/s", "uJ"} else count_text(value)


def _rows(phase: str, rows: list[CompareRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(Text(f"op, a token of {phase}"), overflow="fold", max_width=18)
    for heading in ("A", "B", "of all"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for row in rows:
        cycles = row.cycles
        table.add_row(
            Text(row.name),
            "" if cycles.before is None else count_text(cycles.before),
            "" if cycles.after is None else count_text(cycles.after),
            "" if row.contribution is None else _percent(row.contribution),
            Text(row.why),
        )
    table.caption = f"of all: change of cycles over all cycles of {phase} in A"
    return table


def _share(row: CompareRow) -> float:
    return 1.0 if row.contribution is None else abs(row.contribution)


def _gates(result: CompareResult) -> Iterator[str]:
    for gate in result.gates:
        verdict = "fired" if gate.fired else "holds back"
        yield f"gate {gate.expression}: {verdict}"


def _percent(share: float) -> str:
    return f"{100 * share:+.2f} %" if abs(share) < 0.1 else f"{100 * share:+.1f} %"
