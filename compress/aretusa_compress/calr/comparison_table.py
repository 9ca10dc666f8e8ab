"""summarise(): rows of runs -> means over seeds, and how sure the differences to CALR are."""

from __future__ import annotations

import csv
import io
import math
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.calr.methods import Method
from aretusa_compress.calr.significance import p_of_seeds, p_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA_VERSION: Final = 2


def summarise(
    rows: Sequence[Mapping[str, Any]], original: Mapping[str, list[float]], *, device: str
) -> dict[str, Any]:
    """The document of a comparison.

    A row of `rows` has row, fewer, seed, gone, and nats for every window of every text. A method is
    compared with CALR at the same share, twice. Windows are pairs, each the mean over the seeds,
    for seeds of one window are no independent observations: would other text say the same? And
    seeds are pairs, each the mean over the windows: would other seeds? `overall` are those of all
    shares together.
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
        "overall": _overall(groups),
    }


def _overall(
    groups: Mapping[tuple[float, str], Sequence[Mapping[str, Any]]],
) -> dict[str, dict[str, float | None]]:
    """How many more nats than CALR each method has; the pairs are all seeds at all shares."""
    found: dict[str, list[float]] = {}
    for (fewer, name), group in groups.items():
        calr = groups.get((fewer, Method.CALR.value))
        if calr is not None and name != Method.CALR:
            found.setdefault(name, []).extend(_by_seed(group, calr))
    return {
        name: {"nats": mean(values), "p_of_seeds": p_of_seeds(values), "pairs": len(values)}
        for name, values in found.items()
    }


def _quality(group: Sequence[Mapping[str, Any]], text: str) -> dict[str, float]:
    """Perplexity by seed: its mean and standard deviation."""
    values = [math.exp(min(mean(row["nats"][text]), 700.0)) for row in group]
    return {"perplexity": mean(values), "deviation": stdev(values) if len(values) > 1 else 0.0}


def _difference(
    group: Sequence[Mapping[str, Any]], calr: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """How many more nats per token than CALR, over all windows of all texts."""
    ours, theirs = _by_window(calr), _by_window(group)
    differences = [one - other for one, other in zip(theirs, ours, strict=True)]
    return {
        "nats": mean(differences),
        "p": p_value(differences),
        "windows": len(differences),
        "p_of_seeds": p_of_seeds(_by_seed(group, calr)),
    }


def _by_seed(group: Sequence[Mapping[str, Any]], calr: Sequence[Mapping[str, Any]]) -> list[float]:
    """How many more nats than CALR with the same seed, in the mean over all windows."""
    ours = {row["seed"]: _mean_nats(row) for row in calr}
    return [_mean_nats(row) - ours[row["seed"]] for row in group]


def _mean_nats(row: Mapping[str, Any]) -> float:
    every: list[float] = [nats for text in row["nats"].values() for nats in text]
    return mean(every)


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
        heads = [
            "method",
            "fewer parameters",
            *texts,
            "nats more than CALR",
            "p of windows",
            "p of seeds",
        ]
        lines += [f"## {fewer:.0%} fewer parameters", "", f"| {' | '.join(heads)} |"]
        lines.append("|---|" + "---:|" * (len(heads) - 1))
        lines += [_line(row, texts) for row in document["rows"] if row["fewer"] == fewer]
        lines.append("")
    lines.append(
        "Mean ± standard deviation over the seeds. "
        "p of windows is that of a permutation test, p of seeds that of a t-test."
    )
    if len(dict.fromkeys(row["fewer"] for row in document["rows"])) > 1:
        lines += ["", "## All shares together", "", "| method | nats more than CALR | p of seeds |"]
        lines.append("|---|---:|---:|")
        lines += [
            f"| {name} | {one['nats']:+.4f} | {_shown(one['p_of_seeds'])} |"
            for name, one in document["overall"].items()
        ]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any], texts: list[str]) -> str:
    scores = [
        f"{row['texts'][text]['perplexity']:.2f} ± {row['texts'][text]['deviation']:.2f}"
        for text in texts
    ]
    against = row["against_calr"]
    last = ["", "", ""]
    if against is not None:
        ps = [_shown(against[name]) for name in ("p", "p_of_seeds")]
        last = [f"{against['nats']:+.4f}", *ps]
    cells = [row["row"], f"{row['gone']:.2%}", *scores, *last]
    return f"| {' | '.join(cells)} |"


def _shown(p: float | None) -> str:
    return "" if p is None else f"{p:.2g}"


def as_csv(document: Mapping[str, Any]) -> str:
    """One line for each method, share and text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [
        "row",
        "fewer",
        "gone",
        "text",
        "perplexity",
        "deviation",
        "nats_more",
        "p",
        "p_of_seeds",
    ]
    writer.writerow(heads)
    for row in document["rows"]:
        against = row["against_calr"] or dict.fromkeys(("nats", "p", "p_of_seeds"), "")
        for name, one in row["texts"].items():
            values = [one["perplexity"], one["deviation"]]
            values += [against[key] for key in ("nats", "p", "p_of_seeds")]
            writer.writerow([row["row"], row["fewer"], row["gone"], name, *values])
    return text.getvalue()
