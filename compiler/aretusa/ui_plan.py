"""How a plan looks in a terminal of 80 columns: memories, operations, speed, ways out."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from aretusa.report.numbers import (
    bytes_text,
    count_text,
    gap_text,
    memory_text,
    percent_text,
    rate_text,
    saving_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, JustifyMethod

    from aretusa.plan_results import LayerResult, PlanReport, TierResult, TotalsResult


def print_plan(report: PlanReport, console: Console) -> None:
    """The whole report; texts of a model are printed as they are, never as markup."""
    _lines(console, _head(report))
    console.print()
    console.print(_tiers(report.tiers))
    if report.layers:
        console.print()
        console.print(_layers(report.layers))
    console.print()
    _lines(console, _figures(report))
    if report.shortage is not None:
        _lines(console, _shortage(report))
        if report.ways_out:
            console.print()
            console.print(_ways_out(report))
    if report.notes:
        console.print()
        _lines(console, (("note", note) for note in report.notes))


def layer_ranges(layers: Iterable[int]) -> str:
    """Ascending layers in short: 0-3, 5, 7-9."""
    runs = groupby(enumerate(layers), key=lambda pair: pair[1] - pair[0])
    ends = [[layer for _, layer in run] for _, run in runs]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in ends)


def _lines(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    """Lines of a word and a text; what is long goes on below its own beginning."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=9, no_wrap=True)
    grid.add_column(overflow="fold")
    for word, text in lines:
        grid.add_row(Text(word, style="bold"), Text(text))
    if grid.row_count:
        console.print(grid)


def _table(columns: Sequence[tuple[str, JustifyMethod]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for title, justify in columns:
        is_text = justify == "left"
        table.add_column(
            title, justify=justify, no_wrap=True, overflow="ellipsis" if is_text else "fold"
        )
    return table


def _head(report: PlanReport) -> Iterator[tuple[str, str]]:
    model, options = report.model, report.options
    yield (
        "model",
        (
            f"{model.name}, {count_text(model.parameters)} parameters, {model.layers} layers, "
            f"weights {options.weights}"
        ),
    )
    yield (
        "plan",
        (
            f"{report.target}, context {options.context}, chunk {options.chunk}, for "
            f"{options.prefill_tokens} + {options.decode_tokens} tokens"
        ),
    )
    caches = [region for region in report.regions if region.kind == "cache"]
    if caches:
        size = bytes_text(sum(region.size_bytes for region in caches))
        homes = ", ".join(dict.fromkeys(memory_text(region.memory) for region in caches))
        yield "cache", f"{options.kv_bits} bits, {size} for all positions, in {homes}"


def _tiers(tiers: Iterable[TierResult]) -> Table:
    table = _table(
        [
            ("memory", "left"),
            ("used", "right"),
            ("capacity", "right"),
            ("full", "right"),
            ("peak", "right"),
            ("peak in", "left"),
        ]
    )
    for tier in tiers:
        table.add_row(
            memory_text(tier.memory),
            bytes_text(tier.used_bytes),
            bytes_text(tier.capacity_bytes),
            percent_text(tier.used_bytes, tier.capacity_bytes),
            bytes_text(tier.peak_bytes),
            Text(tier.peak_at),
        )
    return table


def _layers(rows: Sequence[LayerResult]) -> Table:
    """A row per operation; layers in which it looks alike share one."""
    table = _table(
        [
            ("layers", "left"),
            ("operation", "left"),
            ("engine", "left"),
            ("bits", "left"),
            ("home", "left"),
            ("tiles", "right"),
            ("cycles", "right"),
            ("bound", "left"),
        ]
    )
    for cells, layers, times in _alike(rows):
        name = f"{cells[0]} x{times}" if times > 1 else cells[0]
        table.add_row(Text(layer_ranges(layers)), Text(name), *map(Text, cells[1:]))
    return table


def _alike(rows: Iterable[LayerResult]) -> Iterator[tuple[tuple[str, ...], list[int], int]]:
    """Rows that look alike: their cells, their layers, and how often each layer has them.

    What has one name stands together, in the order of first use.
    """
    names: dict[tuple[str, bool], dict[tuple[str, ...], list[int]]] = {}
    for row in rows:
        group = names.setdefault((row.name, row.layer is None), {})
        group.setdefault(_cells(row), []).append(-1 if row.layer is None else row.layer)
    for group in names.values():
        for cells, found in group.items():
            layers = sorted(set(found) - {-1})
            yield cells, layers, len(found) // max(1, len(layers))


def _cells(row: LayerResult) -> tuple[str, ...]:
    """What is shown of a row, without its layer."""
    form = f"w{row.bits}" if row.bits else ""
    form += f" {row.sparsity}" if row.sparsity else ""
    home = "" if row.memory is None else memory_text(row.memory)
    return (
        row.name,
        row.engine,
        f"{form}g{row.group}" if form and row.group else form,
        f"{home} paged" if row.paged else home,
        f"{row.tiles}x{row.tile_rows}" if row.tiles else "",
        count_text(row.decode_cycles),
        row.bound,
    )


def _figures(report: PlanReport) -> Iterator[tuple[str, str]]:
    if report.totals is not None:
        yield from _speed(report, report.totals)
    placement = report.placement
    if placement is not None:
        yield "placement", f"{gap_text(placement)}; {saving_text(placement)}"


def _speed(report: PlanReport, totals: TotalsResult) -> Iterator[tuple[str, str]]:
    yield (
        "decode",
        (
            f"{rate_text(totals.decode_tokens_per_second)} tokens/s, "
            f"{count_text(totals.decode_cycles_per_token)} cycles per token at "
            f"{totals.clock_hz / 1e6:g} MHz, {bytes_text(totals.off_chip_bytes_per_token)} off chip"
        ),
    )
    yield (
        "prefill",
        (
            f"{rate_text(totals.prefill_tokens_per_second)} tokens/s, "
            f"{count_text(totals.prefill_cycles)} cycles for {report.options.prefill_tokens} tokens"
        ),
    )


def _shortage(report: PlanReport) -> Iterator[tuple[str, str]]:
    shortage = report.shortage
    assert shortage is not None, "only a plan with a shortage is short"
    yield (
        "no fit",
        (
            f"{memory_text(shortage.memory)} is {bytes_text(shortage.short_bytes)} short: "
            f"{shortage.what} needs {bytes_text(shortage.need_bytes)}, "
            f"{bytes_text(shortage.free_bytes)} are free"
        ),
    )


def _ways_out(report: PlanReport) -> Table:
    table = _table([("way out", "left"), ("option", "left"), ("fits", "left"), ("cycles", "right")])
    for way in report.ways_out:
        cycles = way.decode_cycles_per_token
        table.add_row(
            Text(way.what),
            Text(way.option),
            "yes" if way.fits else "no",
            "" if cycles is None else f"{count_text(cycles)} per token",
        )
    return table
