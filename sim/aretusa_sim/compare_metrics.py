"""Metrics of a side by name: what gates weigh, and what the comparison's first table shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa_sim.compare_results import MetricChange
from aretusa_sim.compare_sides import sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa_sim.compare_results import Phase
    from aretusa_sim.compare_sides import Side

PHASES: Final[tuple[Phase, ...]] = ("prefill", "decode")
EACH: Final = "_per_token"
RATE: Final = "tokens_per_s"
USUAL_PHASE: Final = "decode"  # of what is said of one token


def metrics(side: Side) -> dict[str, float]:
    """Everything that can be said of a side.

    An amount is that of the whole run, `decode.cycles` that of a phase, `decode.cycles_per_token`
    that of one token of it. What is said of a token without its phase is said of decode.
    """
    found = dict(_run(side))
    for phase in PHASES:
        for name, value in _phase(side, phase):
            found[f"{phase}.{name}"] = value
            if phase == USUAL_PHASE and (name.endswith(EACH) or name == RATE):
                found[name] = value
    return found | side.fractions | side.peaks


def _run(side: Side) -> Iterator[tuple[str, float]]:
    """Of all phases; only what each of them knows."""
    phases = list(side.phases.values())
    known = [name for name in phases[0].amounts if all(name in one.amounts for one in phases)]
    total = sums(phase.amounts for phase in phases)
    for name in known:
        yield name, total[name]
    yield "seconds", total["cycles"] / side.summary.clock_hz


def _phase(side: Side, phase: Phase) -> Iterator[tuple[str, float]]:
    found = side.phases.get(phase)
    if found is None:
        return
    seconds = found.amounts["cycles"] / side.summary.clock_hz
    for name, value in {**found.amounts, "seconds": seconds}.items():
        yield name, value
        yield name + EACH, value / found.tokens
    if seconds:
        yield RATE, found.tokens / seconds


def depends_on_length(name: str) -> list[Phase]:
    """The phases whose number of tokens a metric grows with."""
    if name.endswith((EACH, "_fraction", "_peak_bytes")) or name.rpartition(".")[2] == RATE:
        return []
    phase = name.partition(".")[0]
    return [one for one in PHASES if one == phase] or list(PHASES)


def unit(name: str) -> str:
    """The unit of a metric."""
    base = name.rpartition(".")[2].removesuffix(EACH)
    ending = base.rpartition("_")[2]
    found = {"cycles": "cycles", "bytes": "B", "seconds": "s", "macs": "MACs", "uJ": "uJ"}
    return "1/s" if base == RATE else found.get(ending, "")


def metric_changes(before: Side, after: Side) -> list[MetricChange]:
    """All metrics of both sides, in the order of A."""
    old, new = metrics(before), metrics(after)
    return [metric_change(name, old.get(name), new.get(name)) for name in {**old, **new}]


def metric_change(name: str, before: float | None, after: float | None) -> MetricChange:
    """One metric."""
    change = None if before is None or after is None else after - before
    relative = change / before if change is not None and before else None
    return MetricChange(
        metric=name,
        unit=unit(name),
        before=before,
        after=after,
        change=change,
        relative=relative,
    )
