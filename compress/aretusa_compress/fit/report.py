"""What a search found, as a document, as tables, and as a policy for the compiler."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.fit.budget import Quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aretusa_compress.fit.forms import Choice, Matrix
    from aretusa_compress.fit.losses import Losses
    from aretusa_compress.fit.measure import Deviation
    from aretusa_compress.fit.search import Found

SCHEMA_VERSION: Final = 1


def point(
    name: str, kind: str, deviation: Deviation, values: Mapping[Quantity, float] | None
) -> dict[str, Any]:
    """A model in the plane of quality and cost; `kind` is uniform, search or chosen."""
    known = values or {}
    return {
        "name": name,
        "kind": kind,
        "kl": deviation.kl,
        "perplexity": _perplexity(deviation.nats),
        **{quantity.value: known.get(quantity) for quantity in Quantity},
    }


def found_document(found: Found, budgets: Sequence[str]) -> dict[str, Any]:
    """How the choice was found."""
    solution, refined = found.solution, found.refined
    return {
        "schema_version": SCHEMA_VERSION,
        "budgets": list(budgets),
        "program": {
            "objective": solution.objective,
            "bound": solution.bound,
            "gap": solution.gap,
            "status": solution.status,
        },
        "swaps": {
            "before": refined.before,
            "after": refined.after,
            "tried": refined.tried,
            "taken": refined.taken,
        },
        "corrections": found.corrections,
        "predicted": _plain(found.predicted),
        "missed": _plain(found.missed),
        "simulated": None if found.simulated is None else _plain(found.simulated),
        "dropped": list(solution.dropped),
        "choice": {name: form.label for name, form in refined.choice.items()},
    }


def original_point(deviation: Deviation) -> dict[str, Any]:
    """The model before any change."""
    return {"kl": 0.0, "perplexity": _perplexity(deviation.nats)}


def losses_csv(matrices: Sequence[Matrix], losses: Losses, choice: Choice) -> str:
    """A line for each matrix: its size, what it loses in each form, the form chosen."""
    labels = list(dict.fromkeys(form.label for one in losses.values() for form in one))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["matrix", "rows", "depth", *labels, "chosen"])
    for matrix in matrices:
        own = {form.label: loss for form, loss in losses[matrix.name].items()}
        cells = [f"{own[label]:.6g}" if label in own else "" for label in labels]
        chosen = choice[matrix.name].label if matrix.name in choice else "dropped"
        writer.writerow([matrix.name, matrix.rows, matrix.depth, *cells, chosen])
    return text.getvalue()


def points_csv(points: Sequence[Mapping[str, Any]]) -> str:
    """A line for each model of the plot."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(points[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(points)
    return text.getvalue()


def markdown(document: Mapping[str, Any]) -> str:
    """The models of the plot as a table, and how the chosen one was found."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    program, swaps = document["program"], document["swaps"]
    yield f"Budgets: {', '.join(document['budgets'])}. Measured on calibration text."
    yield ""
    yield "| model | KL | perplexity | bits | bytes | tokens/s | uJ a token |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    original = document["original"]
    yield f"| original | {original['kl']:.5f} | {original['perplexity']:.3f} | | | | |"
    for one in document["points"]:
        cells = [
            _cell(one[quantity.value], digits)
            for quantity, digits in (
                (Quantity.BITS, ".3f"),
                (Quantity.MRAM, ",.0f"),
                (Quantity.TOKENS_PER_S, ".4g"),
                (Quantity.UJ, ".4g"),
            )
        ]
        scores = f"{one['kl']:.5f} | {one['perplexity']:.3f}"
        yield f"| {one['name']} | {scores} | {' | '.join(cells)} |"
    yield ""
    yield (
        f"Program: objective {program['objective']:.6g}, bound {program['bound']:.6g}, "
        f"gap {program['gap']:.2%} ({program['status']})."
    )
    yield (
        f"Swaps: {swaps['taken']} of {swaps['tried']} taken, "
        f"loss {swaps['before']:.6g} before, {swaps['after']:.6g} after."
    )


def policy(choice: Choice) -> str:
    """Rules for `--policy` (docs/policy.md); factors have names of their own."""
    lines = ["# Widths that aretusa compress --fit chose"]
    for name, form in choice.items():
        parts = (".low_rank_in", ".low_rank_out") if form.share else ("",)
        for part in parts:
            lines += ["", "[[rule]]", f'match = "{name}{part}.weight"', f'weights = "w{form.bits}"']
    return "\n".join(lines) + "\n"


def _cell(value: float | None, digits: str) -> str:
    return "" if value is None else f"{value:{digits}}"


def _plain(values: Mapping[Quantity, float]) -> dict[str, float]:
    return {quantity.value: value for quantity, value in values.items()}


def _perplexity(nats: float) -> float:
    return math.exp(min(nats, 700.0))  # e^700 is close to the largest double
