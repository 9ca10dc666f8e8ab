"""draw(): perplexity against the share of parameters that are gone; needs matplotlib (plots)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aretusa_compress.calr.methods import Method

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def draw(document: Mapping[str, Any], path: Path) -> None:
    """One picture for each text, one line for each row, bars of a standard deviation over seeds."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an optional library, slow to load

    texts: dict[str, float] = document["original"]
    figure = Figure(figsize=(6.4 * len(texts), 5), layout="constrained")
    names = list(dict.fromkeys(row["row"] for row in document["rows"]))
    for axes, (text, original) in zip(
        figure.subplots(1, len(texts), squeeze=False)[0], texts.items(), strict=True
    ):
        for name in names:
            rows = [row for row in document["rows"] if row["row"] == name]
            axes.errorbar(
                [100 * row["gone"] for row in rows],
                [row["texts"][text]["perplexity"] for row in rows],
                yerr=[row["texts"][text]["deviation"] for row in rows],
                label=name,
                marker="o",
                capsize=3,
                linewidth=2.4 if name == Method.CALR else 1.2,
            )
        axes.axhline(original, color="#7f8c8d", linestyle="--", label="original")
        axes.set_yscale("log")
        axes.set_title(text)
        axes.set_xlabel("fewer parameters, %")
        axes.set_ylabel("perplexity")
        axes.legend()
    figure.savefig(path, dpi=110, metadata={"Software": None})
