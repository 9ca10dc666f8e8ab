"""How a simulation looks in a terminal of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from aretusa.report.numbers import bytes_text, count_text, percent_text, rate_text
from aretusa_sim.terminal_advice import print_advice
from aretusa_sim.terminal_energy import energy_line, energy_table, energy_text
from aretusa_sim.terminal_limits import limits_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from aretusa_sim.results import OpResult, PhaseResult, SimulationResult


def print_simulation(result: SimulationResult, console: Console) -> None:
    """Speed, units, and the ops of a decoded token; texts of a model are never markup."""
    for line in _head(result):
        console.print(Text(line), soft_wrap=True)
    for phase in result.phases:
        if phase.steps:
            console.print()
            console.print(_units(phase))
    decode = result.phase("decode")
    shown = decode if decode.steps else result.phase("prefill")
    console.print()
    console.print(_ops(shown))
    console.print()
    console.print(energy_table(shown))
    console.print()
    console.print(limits_table(result, shown))
    console.print()
    if result.advice is not None:
        print_advice(result.advice, console)
        console.print()
    for note in result.notes:
        console.print(Text(f"note: {note}"))


def _head(result: SimulationResult) -> Iterator[str]:
    model, mega = result.model, 1e6
    yield f"{model.name} on {model.target}, {model.weights}, context {model.context}"
    yield f"cluster at {result.clock_hz / mega:g} MHz, off-chip at {result.peripheral_hz / mega:g}"
    for phase in result.phases:
        if phase.steps:
            each = count_text(phase.cycles / phase.tokens)
            yield (
                f"{phase.phase:8}{phase.tokens} tokens, {each} cycles each, "
                f"{rate_text(phase.tokens_per_second)} tokens/s"
            )
            yield energy_line(phase)
    steps = [step for step in result.steps if step.phase == "decode"]
    if len(steps) > 1:
        first, last = steps[0], steps[-1]
        yield (
            f"a token takes {count_text(first.cycles)} cycles at position {first.position}, "
            f"{count_text(last.cycles)} at {last.position}"
        )


def _units(phase: PhaseResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(phase.phase)
    for heading in ("busy cycles", "of all", "moved"):
        table.add_column(heading, justify="right")
    for unit in phase.units:
        table.add_row(
            unit.unit,
            count_text(unit.busy_cycles),
            percent_text(unit.busy_cycles, phase.cycles),
            bytes_text(unit.moved_bytes) if unit.moved_bytes else "",
        )
    return table


def _ops(phase: PhaseResult) -> Table:
    """Ops of all layers under one name, those that take most first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = ("share", "cycles", "engine", "dma", "off-chip", "energy")
    table.add_column(Text(f"op, a token of {phase.phase}"), overflow="fold")
    table.add_column("on")
    for heading in headings:
        table.add_column(heading, justify="right")
    groups: dict[tuple[str, str], list[OpResult]] = {}
    for op in phase.ops:
        groups.setdefault((op.name, op.engine), []).append(op)
    for (name, engine), own in sorted(groups.items(), key=lambda item: -_cycles(item[1])):
        waits = (
            sum(op.stalls.engine_cycles for op in own),
            sum(op.stalls.dma_cycles for op in own),
            sum(op.stalls.off_chip_cycles for op in own),
        )
        counts = (_cycles(own), *waits)
        table.add_row(
            Text(name),
            engine.removeprefix("neureka-"),
            percent_text(_cycles(own), phase.cycles),
            *(count_text(count / phase.tokens) if count else "" for count in counts),
            energy_text(sum(op.energy.nominal_uj for op in own) / phase.tokens),
        )
    table.caption = "engine, dma, off-chip: cycles in which the cores wait for them"
    return table


def _cycles(own: list[OpResult]) -> int:
    return sum(op.cycles for op in own)
