"""How energy looks in a terminal: what a token takes, by component, with its range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from aretusa.report.numbers import percent_text
from aretusa_sim.energy import per_token

if TYPE_CHECKING:
    from aretusa_sim.results import PhaseResult


def energy_text(microjoules: float) -> str:
    """An energy with three digits or a little more."""
    for factor, unit in ((1e6, "J"), (1e3, "mJ"), (1.0, "uJ")):
        if microjoules >= factor:
            return f"{microjoules / factor:.{_decimals(microjoules / factor)}f} {unit}"
    return f"{1e3 * microjoules:.{_decimals(1e3 * microjoules)}f} nJ"


def energy_line(phase: PhaseResult) -> str:
    """What a token of a phase takes, and the power that goes with it."""
    each, power = phase.energy_per_token, phase.mean_power
    return (
        f"{'':8}{energy_text(each.nominal_uj)} a token "
        f"({energy_text(each.low_uj)} to {energy_text(each.high_uj)}), "
        f"{power.nominal_mw:.0f} mW ({power.low_mw:.0f} to {power.high_mw:.0f})"
    )


def energy_table(phase: PhaseResult) -> Table:
    """Components, those that take most first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"energy, a token of {phase.phase}")
    for heading in ("share", "nominal", "low", "high"):
        table.add_column(heading, justify="right")
    parts = phase.energy.components.items()
    for key, part in sorted(parts, key=lambda item: -item[1].nominal_uj):
        each = per_token(part, phase.tokens)
        table.add_row(
            key,
            percent_text(part.nominal_uj, phase.energy.nominal_uj),
            *map(energy_text, (each.nominal_uj, each.low_uj, each.high_uj)),
        )
    table.caption = "low, high: all constants at that end"
    return table


def _decimals(number: float) -> int:
    return 0 if number >= 100 else 1 if number >= 10 else 2
