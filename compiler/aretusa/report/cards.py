"""The figures at the head of the page: one card each, with a line that says what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.report.numbers import (
    bytes_text,
    count_text,
    gap_text,
    memory_text,
    rate_text,
    saving_text,
    share_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.plan_results import PlacementResult, PlanReport, TotalsResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A figure with its unit, a title above and an explanation below."""

    title: str
    figure: str
    unit: str
    meaning: str


def cards(report: PlanReport) -> list[Card]:
    """What can be said about a plan; fewer cards if it does not fit."""
    found = [_model(report)]
    if report.totals is not None:
        found.extend(_speed(report, report.totals))
        found.append(_images(report.totals))
    if report.placement is not None:
        found.append(_placement(report.placement))
    return found


def _model(report: PlanReport) -> Card:
    model = report.model
    figure, _, unit = count_text(model.parameters).partition(" ")
    return Card(
        title="Parameters",
        figure=figure,
        unit=unit,
        meaning=f"{model.layers} layers, hidden {model.hidden_size}, "
        f"vocabulary {model.vocabulary:,}",
    )


def _speed(report: PlanReport, totals: TotalsResult) -> Iterator[Card]:
    clock = f"{totals.clock_hz / 1e6:g} MHz"
    yield Card(
        title="Decode",
        figure=rate_text(totals.decode_tokens_per_second),
        unit="tokens/s",
        meaning=f"{count_text(totals.decode_cycles_per_token)} cycles per token at {clock}",
    )
    yield Card(
        title="Prefill",
        figure=rate_text(totals.prefill_tokens_per_second),
        unit="tokens/s",
        meaning=f"{count_text(totals.prefill_cycles)} cycles for "
        f"{report.options.prefill_tokens} tokens",
    )
    figure, unit = bytes_text(totals.off_chip_bytes_per_token).split(" ")
    macs = totals.macs_per_token
    yield Card(
        title="Off-chip traffic",
        figure=figure,
        unit=unit,
        meaning=f"per token, beside {count_text(macs)} multiply-accumulates",
    )


def _images(totals: TotalsResult) -> Card:
    figure, unit = bytes_text(sum(totals.image_bytes.values())).split(" ")
    parts = [
        f"{memory_text(memory)} {bytes_text(size)}"
        for memory, size in totals.image_bytes.items()
        if size
    ]
    return Card(title="Images", figure=figure, unit=unit, meaning=", ".join(parts))


def _placement(placement: PlacementResult) -> Card:
    figure, _, unit = {
        "optimal": "optimal",
        "feasible": share_text(placement.gap),
        "greedy": "greedy",
    }[placement.status].partition(" ")
    return Card(
        title="Placement",
        figure=figure,
        unit=f"{unit} gap" if unit else "",
        meaning=f"{gap_text(placement)}; {saving_text(placement)}",
    )
