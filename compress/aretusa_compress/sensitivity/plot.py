"""draw(): the document of an analysis as a picture; needs matplotlib (the extra plots)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PILLAR: Final = "#c0392b"
_OTHER: Final = "#7f8c8d"
_NAMED: Final = 24  # more units than this get no names below their bars


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(document: Mapping[str, Any], path: Path) -> None:
    """Gain of each unit, its divergence alone, and the spectra of pillars among the others."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an optional library, slow to load

    figure = Figure(figsize=(10, 11), layout="constrained")
    back, alone, spectra = figure.subplots(3, 1)
    units = document["units"]
    colours = [_PILLAR if row["is_pillar"] else _OTHER for row in units]
    names = [row["unit"] for row in units]
    _bars(back, names, [row["gain"] for row in units], colours)
    back.set_title(f"less {document['by']} when the unit is given back (red: pillars)")
    _bars(alone, names, [row["alone"]["kl"] for row in units], colours)
    alone.set_title("KL divergence when the unit alone is truncated, nats a token")
    pillars = {name for row in units if row["is_pillar"] for name in row["rank"]}
    for name, values in sorted(document["spectra"].items(), key=lambda item: item[0] in pillars):
        places = [index / len(values) for index in range(len(values))]
        is_pillar = name in pillars
        style = {"color": _PILLAR if is_pillar else _OTHER, "alpha": 1.0 if is_pillar else 0.25}
        spectra.semilogy(places, values, linewidth=1.2 if is_pillar else 0.6, **style)
    spectra.set_title("singular values of the weights, as shares of the largest one")
    spectra.set_xlabel("place among them, as a share of all")
    spectra.set_ylim(bottom=1e-4)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _bars(axes: Any, names: list[str], values: list[float], colours: list[str]) -> None:  # noqa: ANN401
    axes.bar(range(len(values)), values, color=colours)
    if len(names) <= _NAMED:
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
    else:
        axes.set_xlabel("units in the order of the blocks")
