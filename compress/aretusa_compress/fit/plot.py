"""draw(): quality against bytes, tokens per second and energy; needs matplotlib."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_STYLES: Final = {  # by kind: colour, marker, line
    "uniform": ("#7f8c8d", "s", "--"),
    "search": ("#2471a3", "o", "-"),
    "chosen": ("#c0392b", "*", ""),
}
_COSTS: Final = (
    ("mram", "bytes of weights and tables"),
    ("tokens_per_s", "decoded tokens per second"),
    ("uJ", "microjoules per decoded token"),
)


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(document: Mapping[str, Any], path: Path) -> None:
    """One picture for each cost, of all models whose cost is known."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an optional library, slow to load

    quality = "kl" if document["objective"] == "kl" else "perplexity"
    figure = Figure(figsize=(13, 4.5), layout="constrained")
    for axes, (cost, title) in zip(figure.subplots(1, len(_COSTS)), _COSTS, strict=True):
        for kind, (colour, marker, line) in _STYLES.items():
            own = [one for one in document["points"] if one["kind"] == kind]
            own = sorted((one for one in own if one[cost] is not None), key=lambda one: one[cost])
            axes.plot(
                [one[cost] for one in own],
                [one[quality] for one in own],
                color=colour,
                marker=marker,
                linestyle=line,
                markersize=12 if kind == "chosen" else 5,
                label=kind,
            )
        axes.set_yscale("log")
        axes.set_xlabel(title)
        axes.set_ylabel("KL divergence, nats a token" if quality == "kl" else "perplexity")
    figure.axes[0].legend()
    figure.savefig(path, dpi=110, metadata={"Software": None})
