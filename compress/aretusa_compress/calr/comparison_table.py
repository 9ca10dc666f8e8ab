"""summarise(): rows of runs -> means over seeds, and how sure the differences to CALR are."""

from __future__ import annotations

import csv
import io
import math
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.calr.methods import Method
from aretusa_compress.calr.significance import p_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA_VERSION: Final = 1


def summarise(
    rows: Sequence[Mapping[str, Any]], original: Mapping[str, list[float]], *, device: str
) -> dict[str, Any]:
    """The document of a comparison.

    A row of `rows` has row, fewer, seed, gone, and nats for every window of every text. A method is
    compared with CALR at the same share: windows are the pairs, each the mean over the seeds, for
    seeds of one window are no independent observations.
    """
    groups: dict[tuple[float, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["fewer"], row["row"]), []).append(row)
    found = []
    for (fewer, name), group in groups.items():
        calr = groups.get((fewer, Method.CALR.value))
        found.append(
            {
                "row": name,
                "fewer": fewer,
                "gone": mean(row["gone"] for row in group),
                "seeds": [row["seed"] for row in group],
                "texts": {text: _quality(group, text) for text in original},
                "against_calr": None
                if calr is None or name == Method.CALR
                else _difference(group, calr),
            }
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "device": device,
        "original": {text: math.exp(mean(nats)) for text, nats in original.items()},
        "rows": found,
    }


def _quality(group: Sequence[Mapping[str, Any]], text: str) -> dict[str, float]:
    """Perplexity by seed: its mean and standard deviation."""
    values = [math.exp(min(mean(row["nats"][text]), 700.0)) for row in group]
    return {"perplexity": mean(values), "deviation": stdev(values) if len(values) > 1 else 0.0}


def _difference(
    group: Sequence[Mapping[str, Any]], calr: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """How many more nats per token than CALR, over all windows of all texts."""
    ours, theirs = _by_window(calr), _by_window(group)
    differences = [one - other for one, other in zip(theirs, ours, strict=True)]
    return {"nats": mean(differences), "p": p_value(differences), "windows": len(differences)}


def _by_window(group: Sequence[Mapping[str, Any]]) -> list[float]:
    texts = sorted(group[0]["nats"])
    every = [[nats for text in texts for nats in row["nats"][text]] for row in group]
    return [mean(values) for values in zip(*every, strict=True)]


def as_markdown(document: Mapping[str, Any]) -> str:
    """One table for each share."""
    texts = list(document["original"])
    plain = ", ".join(f"{text} {value:.2f}" for text, value in document["original"].items())
    lines = [f"Perplexity of the original model: {plain}. Computed on {document['device']}.", ""]
    for fewer in dict.fromkeys(row["fewer"] for row in document["rows"]):
        heads = ["method", "fewer parameters", *texts, "nats more than CALR", "p"]
        lines += [f"## {fewer:.0%} fewer parameters", "", f"| {' | '.join(heads)} |"]
        lines.append("|---|" + "---:|" * (len(heads) - 1))
        lines += [_line(row, texts) for row in document["rows"] if row["fewer"] == fewer]
        lines.append("")
    lines.append("Mean ± standard deviation over the seeds. p: permutation test of the windows.")
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any], texts: list[str]) -> str:
    scores = [
        f"{row['texts'][text]['perplexity']:.2f} ± {row['texts'][text]['deviation']:.2f}"
        for text in texts
    ]
    against = row["against_calr"]
    last = ["", ""] if against is None else [f"{against['nats']:+.4f}", f"{against['p']:.2g}"]
    cells = [row["row"], f"{row['gone']:.2%}", *scores, *last]
    return f"| {' | '.join(cells)} |"


def as_csv(document: Mapping[str, Any]) -> str:
    """One line for each method, share and text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = ["row", "fewer", "gone", "text", "perplexity", "deviation", "nats_more", "p"]
    writer.writerow(heads)
    for row in document["rows"]:
        against = row["against_calr"] or {"nats": "", "p": ""}
        for name, one in row["texts"].items():
            values = [one["perplexity"], one["deviation"], against["nats"], against["p"]]
            writer.writerow([row["row"], row["fewer"], row["gone"], name, *values])
    return text.getvalue()
