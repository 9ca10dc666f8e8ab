"""How advice looks in a terminal of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from aretusa.report.numbers import bytes_text, count_text, percent_text
from aretusa_sim.terminal_energy import energy_text

if TYPE_CHECKING:
    from rich.console import Console

    from aretusa_sim.advice_results import AdviceResult, Change, Cost

HELPS: Final = 0.995  # of the cycles before: less is worth a line


def print_advice(advice: AdviceResult, console: Console) -> None:
    """What bounds the token, what takes most of it, and what helps; then what does not."""
    console.print(Text(f"bound: {advice.reason}"))
    console.print()
    console.print(_first(advice))
    console.print()
    console.print(_changes(advice))
    for number, change in enumerate(_helping(advice), 1):
        console.print(Text(f"{number:3}: {change.how}"), soft_wrap=True)
    for what, names in _others(advice).items():
        if names:
            console.print(Text(f"{what}: {'; '.join(names)}"))


def _first(advice: AdviceResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("takes most of a token", overflow="fold")
    table.add_column("on")
    for heading in ("ops", "bits", "share", "cycles"):
        table.add_column(heading, justify="right")
    table.add_column("spent on")
    for one in advice.first:
        table.add_row(
            Text(one.name),
            one.engine.removeprefix("neureka-"),
            str(one.count),
            str(one.bits) if one.bits else "",
            percent_text(one.share, 1),
            count_text(one.cycles),
            one.bound,
        )
    return table


def _changes(advice: AdviceResult) -> Table:
    """Those that help; how to ask for each stands below under its number."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", justify="right")
    table.add_column("change, planned and simulated anew", overflow="fold")
    for heading in ("request", "a token", "energy", "off-chip"):
        table.add_column(heading, justify="right")
    table.add_row("", "as it is", percent_text(1, 1), *_token(advice.before))
    for number, change in enumerate(_helping(advice), 1):
        assert change.after is not None, f"{change.what} has no plan"
        table.add_row(
            str(number),
            Text(change.what + (" *" if change.changes_answers else "")),
            percent_text(change.request_share or 0, 1),
            *_token(change.after),
        )
    table.caption = "request: all cycles; *: other answers, so measure quality too"
    return table


def _helping(advice: AdviceResult) -> list[Change]:
    return [one for one in advice.changes if one.fits and (one.request_share or 0) < HELPS]


def _token(cost: Cost) -> tuple[str, ...]:
    return (
        count_text(cost.decode_cycles),
        energy_text(cost.decode_energy.nominal_uj),
        bytes_text(cost.off_chip_bytes),
    )


def _others(advice: AdviceResult) -> dict[str, list[str]]:
    fitting = [change for change in advice.changes if change.fits]
    return {
        "no help": [one.what for one in fitting if (one.request_share or 0) >= HELPS],
        "does not fit": [one.what for one in advice.changes if not one.fits],
        "not tried, the time was up": advice.untried,
    }
