"""Gates: `cycles>+2%`, `decode.tokens_per_s<200`, `l3_bytes>+0` against the metrics of two sides.

A gate is a metric, one of > >= < <=, and a bound for B: a plain number is the bound itself, a
number with a sign is added to A, a percentage (always with a sign) is that share of A more or less.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from aretusa.errors import GateError, UsageError
from aretusa_sim.compare_metrics import EACH, depends_on_length
from aretusa_sim.compare_results import GateResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aretusa_sim.compare_results import CompareResult, MetricChange, SideResult

COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_GATE: Final = re.compile(
    r"\s*(?P<metric>[A-Za-z_][A-Za-z0-9_.]*)\s*(?P<comparison>>=|<=|>|<)\s*"
    r"(?P<sign>[+-]?)(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(?P<percent>%?)\s*"
)
SUGGESTED: Final = 3
EXAMPLES: Final = "'cycles>+2%', 'decode.tokens_per_s<200' or 'l3_bytes>+4096'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A condition under which a comparison fails."""

    expression: str
    metric: str
    comparison: str
    number: float
    is_change: bool  # the number is added to A
    is_share: bool  # of A

    def bound(self, before: float) -> float:
        """What B is compared with."""
        if self.is_share:
            return before + before * self.number / 100
        return before + self.number if self.is_change else self.number

    def weigh(self, metric: MetricChange) -> GateResult:
        """Whether it fires for a metric that both sides have."""
        before, after = metric.before, metric.after
        assert before is not None, "the metric was looked up in both sides"
        assert after is not None, "the metric was looked up in both sides"
        limit = self.bound(before)
        return GateResult(
            expression=self.expression,
            metric=self.metric,
            before=before,
            after=after,
            limit=limit,
            fired=COMPARISONS[self.comparison](after, limit),
        )


def parse_gate(expression: str) -> Gate:
    """The gate that an expression describes; E0604 if it describes none."""
    found = _GATE.fullmatch(expression)
    if found is None:
        raise _unreadable(expression, "it is no metric, comparison and number")
    sign, percent = found["sign"], bool(found["percent"])
    if percent and not sign:
        raise _unreadable(expression, "a percentage needs its sign, as in +2%")
    number = float(found["number"])
    if number == float("inf"):
        raise _unreadable(expression, "the number is too large")
    return Gate(
        expression=expression,
        metric=found["metric"],
        comparison=found["comparison"],
        number=-number if sign == "-" else number,
        is_change=bool(sign),
        is_share=percent,
    )


def weigh_gates(
    gates: Iterable[Gate],
    metrics: Iterable[MetricChange],
    before: SideResult,
    after: SideResult,
) -> list[GateResult]:
    """Every gate against the metrics; E0605 for a metric that cannot be compared."""
    known = {metric.metric: metric for metric in metrics}
    return [gate.weigh(_metric(gate, known, before, after)) for gate in gates]


def gate_error(result: CompareResult) -> GateError | None:
    """What to tell where a gate fired; None if none did."""
    fired = [gate for gate in result.gates if gate.fired]
    if not fired:
        return None
    return GateError(
        "E0601",
        f"{len(fired)} of {len(result.gates)} gates fired",
        why="; ".join(
            f"{gate.expression}: {_number(gate.before)} -> {_number(gate.after)}, "
            f"limit {_number(gate.limit)}"
            for gate in fired
        ),
        fix="See above what changed and why, or allow more",
    )


def _metric(
    gate: Gate, known: dict[str, MetricChange], before: SideResult, after: SideResult
) -> MetricChange:
    metric = known.get(gate.metric)
    if metric is None:
        close = get_close_matches(gate.metric, known, SUGGESTED, 0.5)
        meant = f"Did you mean {' or '.join(close)}? " if close else ""
        plain = ", ".join(name for name in known if "." not in name and not name.endswith(EACH))
        raise UsageError(
            "E0605",
            f"neither result has the metric {gate.metric!r}",
            why=f"in {gate.expression!r}",
            fix=f"{meant}There are {plain}; those that grow with tokens also as prefill.NAME, "
            f"decode.NAME and NAME{EACH}",
        )
    if metric.before is None or metric.after is None:
        lacking = before if metric.before is None else after
        raise UsageError(
            "E0605",
            f"one of the results lacks the metric {gate.metric!r}",
            file=lacking.source,
            why=f"in {gate.expression!r}; it is a document of {lacking.kind!r}",
            fix="Compare two documents of `aretusa simulate --json`",
        )
    _check_lengths(gate, before, after)
    return metric


def _check_lengths(gate: Gate, before: SideResult, after: SideResult) -> None:
    """A total of 8 tokens is not worse than one of 64, whatever it is."""
    for phase in depends_on_length(gate.metric):
        old, new = before.tokens.get(phase, 0), after.tokens.get(phase, 0)
        if old != new:
            name = gate.metric.rpartition(".")[2]
            raise UsageError(
                "E0605",
                f"the metric {gate.metric!r} grows with the number of tokens, which differs",
                why=f"{old} in {phase} of A, {new} of B",
                fix=f"Take {phase}.{name}{EACH}, or make both results for equal requests",
            )


def _unreadable(expression: str, why: str) -> UsageError:
    return UsageError(
        "E0604", f"the gate {expression!r} cannot be read", why=why, fix=f"Write {EXAMPLES}"
    )


def _number(value: float) -> str:
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
