"""compare(): two results side by side, what changed and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aretusa_sim.build_timing import Length
from aretusa_sim.compare_files import read_both
from aretusa_sim.compare_gates import parse_gate, weigh_gates
from aretusa_sim.compare_metrics import metric_changes
from aretusa_sim.compare_results import CompareResult, Difference
from aretusa_sim.compare_rows import group_rows, op_rows
from aretusa_sim.compare_sides import side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aretusa_sim.compare_files import Source
    from aretusa_sim.compare_results import SideResult

NO_REASON: Final = {"source", "tool"}  # of a side: what explains no change


def compare(
    before: Source,
    after: Source,
    *,
    fail_if: Sequence[str] = (),
    length: Length | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CompareResult:
    """A and B: documents, files of `--json`, or builds.

    `fail_if` are gates as in `aretusa compare --fail-if`; the result says which fired. `length` is
    how many tokens of builds are timed.
    """
    gates = [parse_gate(expression) for expression in fail_if]
    first, second = read_both(before, after, Length() if length is None else length, progress)
    one, two = side(first, _source(before)), side(second, _source(after))
    metrics = metric_changes(one, two)
    return CompareResult(
        before=one.summary,
        after=two.summary,
        setup=_setup(one.summary, two.summary),
        metrics=metrics,
        groups=group_rows(one, two),
        rows=op_rows(one, two),
        gates=weigh_gates(gates, metrics, one.summary, two.summary),
    )


def _source(source: Source) -> str:
    return str(source) if isinstance(source, Path) else ""


def _setup(before: SideResult, after: SideResult) -> list[Difference]:
    found = []
    for name in type(before).model_fields:
        old, new = (_text(getattr(one, name)) for one in (before, after))
        if old != new and name not in NO_REASON:
            found.append(Difference(what=name.replace("_", " "), before=old, after=new))
    return found


def _text(value: object) -> str:
    match value:
        case dict():
            return " + ".join(f"{count} {phase}" for phase, count in value.items())
        case None:
            return "not said"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
