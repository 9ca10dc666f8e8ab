"""What a sensitivity analysis found, as a document, as tables, and as a policy for a recipe."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Any, Final

import yaml

from aretusa_compress.sensitivity.options import Quantity
from aretusa_compress.sensitivity.pillars import find_pillars, outlyingness, rank_correlation
from aretusa_compress.svd.options import SvdOptions
from aretusa_compress.svd.spectra import effective_rank, lost_share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aretusa_compress.sensitivity.measure import Measurement
    from aretusa_compress.sensitivity.options import PillarOptions, SensitivityOptions
    from aretusa_compress.sensitivity.units import SwitchedUnit
    from aretusa_compress.svd.decompositions import Parts

SCHEMA_VERSION: Final = 2
_SPECTRUM_DIGITS: Final = 6  # of a singular value as a share of the largest one

# Columns of the tables: title, key of a measurement, format.
_COLUMNS: Final = (
    ("cosine", "cosine", ".5f"),
    ("MSE", "mse", ".4f"),
    ("KL", "kl", ".5f"),
    ("perplexity", "perplexity", ".2f"),
    ("repetition", "repetition", ".1%"),
    ("longest loop", "longest_loop", "d"),
)

# What is known of a unit without a measurement, and might tell a pillar.
_PROPERTIES: Final = {
    "effective_rank": "effective rank of the weights",
    "effective_rank_of_outputs": "effective rank of the outputs",
    "lost": "energy lost",
}


def measured(one: Measurement) -> dict[str, Any]:
    """A measurement as numbers by name."""
    found = one.divergence
    return {
        "cosine": found.cosine,
        "mse": found.mse,
        "kl": found.kl,
        "nats": found.nats,
        "perplexity": found.perplexity,
        "repetition": one.repetition,
        "longest_loop": one.longest_loop,
    }


def gains(
    everything: Mapping[str, Any], units: list[dict[str, Any]], options: PillarOptions
) -> dict[str, float]:
    """How much less there is of what pillars are found by, when a unit is given back."""
    key = Quantity(options.by).value
    found = {}
    for unit in units:
        gain = everything[key] - unit["given_back"][key]
        found[unit["unit"]] = gain / unit["parameters"] if options.per_parameter else gain
    return found


def analysis(
    options: SensitivityOptions,
    units: list[SwitchedUnit],
    parts: Mapping[str, Parts],
    ranks: Mapping[str, int | None],
    *,
    original: Measurement,
    all_but: Mapping[str, Measurement],
    only: Mapping[str, Measurement],
    everything: Measurement,
) -> dict[str, Any]:
    """The whole document. `all_but` and `only` have a measurement for each unit."""
    rows: list[dict[str, Any]] = [
        {
            "unit": unit.pattern,
            "parameters": unit.parameters_given_back,
            "given_back": measured(all_but[unit.pattern]),
            "alone": measured(only[unit.pattern]),
            **_spectrum(unit, parts, ranks),
        }
        for unit in units
    ]
    whole = measured(everything)
    pillars = _judge(rows, whole, options.pillars)
    return {
        "schema_version": SCHEMA_VERSION,
        "unit": options.unit.value,
        "by": options.pillars.by.value,
        "tokens": original.divergence.tokens,
        "original": measured(original),
        "everything": whole,
        "units": rows,
        "pillars": pillars,
        "correlations": {key: _correlation(rows, key) for key in _PROPERTIES},
        "spectra": {name: _relative(one) for name, one in parts.items()},
    }


def _correlation(rows: list[dict[str, Any]], key: str) -> float | None:
    return rank_correlation([row["gain"] for row in rows], [row[key] for row in rows])


def _judge(
    rows: list[dict[str, Any]], everything: Mapping[str, Any], options: PillarOptions
) -> list[str]:
    """Add to each unit what is gained with it; returns the pillars."""
    better = gains(everything, rows, options)
    far = outlyingness(better)
    pillars = find_pillars(better, threshold=options.threshold, at_most=options.at_most)
    for row in rows:
        away = far[row["unit"]]
        row |= {
            "gain": better[row["unit"]],
            "deviations": away if math.isfinite(away) else None,
            "is_pillar": row["unit"] in pillars,
        }
    return pillars


def _spectrum(
    unit: SwitchedUnit, parts: Mapping[str, Parts], ranks: Mapping[str, int | None]
) -> dict[str, Any]:
    """Means over the matrices of a unit; effective ranks as shares of the full rank."""
    names = [switch.place.short for switch in unit.switches]
    every = [parts[name] for name in names]
    return {
        "rank": {name: ranks[name] for name in names},
        "lost": _mean(lost_share(parts[name].values, ranks[name]) for name in names),
        "effective_rank": _mean(effective_rank(one.weights) / len(one.weights) for one in every),
        "effective_rank_of_outputs": _mean(
            effective_rank(one.values) / len(one.values) for one in every
        ),
    }


def _mean(values: Iterator[float]) -> float:
    every = list(values)
    return math.fsum(every) / len(every)


def _relative(one: Parts) -> list[float]:
    """Singular values of the weights as shares of the largest one."""
    largest = float(one.weights[0]) or 1.0
    return [round(float(value) / largest, _SPECTRUM_DIGITS) for value in one.weights]


def markdown(document: Mapping[str, Any]) -> str:
    """A table: the model, everything in factors, then the units, most missed first."""
    heads = [title for title, _, _ in _COLUMNS]
    pillars = ", ".join(f"`{name}`" for name in document["pillars"]) or "none"
    lines = [
        "# Sensitivity to truncation",
        "",
        f"Measured on {document['tokens']:,} predicted tokens against the model before the stage.",
        f"Pillars by {document['by']}: {pillars}.",
        "",
        "## Everything truncated but one unit",
        "",
        *_table(["unit", *heads, "gain", "deviations", "effective rank"], _given_back(document)),
        "",
        "Gain: how much less of the above quantity there is when the unit is given back.",
        "Deviations: robust standard deviations of that gain from the median gain.",
        "Effective rank: e to the entropy of the weights' singular values, as a share of all.",
        "Rank correlation of the gain (Spearman): " + _correlations(document) + ".",
        "",
        "## One unit truncated alone",
        "",
        *_table(["unit", *heads, "energy lost"], _alone(document)),
        "",
    ]
    return "\n".join(lines)


def _correlations(document: Mapping[str, Any]) -> str:
    found = document["correlations"]
    shown = {key: "none" if one is None else f"{one:+.2f}" for key, one in found.items()}
    return ", ".join(f"with {what} {shown[key]}" for key, what in _PROPERTIES.items())


def _table(heads: list[str], rows: Iterator[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(heads)} |",
        f"|---|{'---:|' * (len(heads) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _cells(found: Mapping[str, Any]) -> list[str]:
    return ["" if found[key] is None else format(found[key], form) for _, key, form in _COLUMNS]


def _given_back(document: Mapping[str, Any]) -> Iterator[list[str]]:
    yield ["the model as it is", *_cells(document["original"]), "", "", ""]
    yield ["everything truncated", *_cells(document["everything"]), "", "", ""]
    for row in sorted(document["units"], key=lambda one: -one["gain"]):
        name = f"**{row['unit']}**" if row["is_pillar"] else row["unit"]
        away = "" if row["deviations"] is None else f"{row['deviations']:.1f}"
        last = [f"{row['gain']:.3g}", away, f"{row['effective_rank']:.1%}"]
        yield [name, *_cells(row["given_back"]), *last]


def _alone(document: Mapping[str, Any]) -> Iterator[list[str]]:
    for row in sorted(document["units"], key=lambda one: -one["alone"]["kl"]):
        yield [row["unit"], *_cells(row["alone"]), f"{row['lost']:.2%}"]


def comma_separated(document: Mapping[str, Any]) -> str:
    """One line for each unit, with both directions side by side."""
    keys = list(document["original"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    last = ["gain", "deviations", "is_pillar", "lost", "effective_rank"]
    heads = [f"{side}_{key}" for side in ("given_back", "alone") for key in keys]
    writer.writerow(["unit", "parameters", *heads, *last])
    for row in document["units"]:
        values = [row[side][key] for side in ("given_back", "alone") for key in keys]
        writer.writerow([row["unit"], row["parameters"], *values, *(row[key] for key in last)])
    return text.getvalue()


def policy(options: SensitivityOptions, pillars: list[str]) -> str:
    """The stages of a recipe that truncate everything but the pillars."""
    chosen = options.model_dump(
        mode="json", include=set(SvdOptions.model_fields), exclude_defaults=True
    )
    chosen["dense"] = [*chosen.get("dense", []), *pillars]
    return str(yaml.safe_dump({"stages": [{"svd": chosen}]}, sort_keys=False))
