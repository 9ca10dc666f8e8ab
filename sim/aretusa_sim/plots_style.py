"""How all plots look, and how they become files: the same bytes for the same numbers.

Colours are those of Okabe and Ito (jfly.uni-koeln.de/color), which people with any kind of colour
vision can tell apart, with two greys and two tones of our own. Text and axes of an SVG take the
colour of the reader's scheme, light or dark; a PNG is for paper.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from aretusa.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure as _Figure
except ImportError as problem:
    raise ToolchainError(
        "E0708",
        "plots need matplotlib, which is not installed",
        why=str(problem),
        fix="Install it with `pip install 'aretusa[plots]'`, or leave the plots out",
    ) from problem

Format = Literal["svg", "png"]
BLUE: Final = "#0072b2"
SKY: Final = "#56b4e9"
GREEN: Final = "#009e73"
ORANGE: Final = "#e69f00"
RED: Final = "#d55e00"
PINK: Final = "#cc79a7"
YELLOW: Final = "#f0e442"
VIOLET: Final = "#7e57c2"
BROWN: Final = "#8c6d31"
LIGHT_GREY: Final = "#b8bec5"
GREY: Final = "#7d8894"

INK: Final = "#5b6876"  # of text and axes, and of nothing else
INK_STYLE: Final = (
    "<style>svg{color:#4a5561}"
    "@media (prefers-color-scheme:dark){svg{color:#a9b4bf}}"
    "@media print{svg{color:#333}}</style>"
)
WIDTH_INCHES: Final = 9.6
PNG_DPI: Final = 144
SETTINGS: Final[dict[RcKeyType, Any]] = {
    "svg.hashsalt": "aretusa",
    "svg.fonttype": "path",
    "font.family": ["DejaVu Sans"],  # it comes with matplotlib
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.18,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawing and its words; `draw` fills a figure of `height_inches`."""

    name: str
    title: str
    caption: str
    height_inches: float
    draw: Callable[[Figure], None]


def rendered(plot: Plot, form: Format) -> bytes:
    """The plot as a file."""
    with mpl.rc_context(SETTINGS):
        figure = _Figure(figsize=(WIDTH_INCHES, plot.height_inches), layout="constrained")
        plot.draw(figure)
        file = io.BytesIO()
        if form == "png":
            no_words = {"Software": None}
            figure.savefig(file, format=form, dpi=PNG_DPI, metadata=no_words, facecolor="white")
            return file.getvalue()
        no_words = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format=form, metadata=no_words)
    return _in_the_readers_ink(file.getvalue().decode("utf-8")).encode("utf-8")


def _in_the_readers_ink(svg: str) -> str:
    head, tag, rest = svg.partition("<defs>")
    assert tag, "matplotlib's drawings begin with definitions"
    return head + INK_STYLE + tag + rest.replace(INK, "currentColor")


def count_axis(axes: Axes, what: str) -> None:
    """Counts upwards, as 1.2 M and the like, from zero."""
    from matplotlib.ticker import EngFormatter  # noqa: PLC0415 - with the rest of matplotlib

    axes.yaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.set_ylabel(what)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, axis="y")


def stacked(axes: Axes, labels: list[str], parts: Iterator[tuple[str, str, list[float]]]) -> None:
    """One column per label, made of parts: their names, colours and heights."""
    bottoms = [0.0] * len(labels)
    for name, colour, heights in parts:
        if any(heights):
            axes.bar(range(len(labels)), heights, 0.78, bottoms, color=colour, label=name)
            bottoms = [low + high for low, high in zip(bottoms, heights, strict=True)]
    every = -(-len(labels) // 34)
    shown = [n for n in range(len(labels)) if n % every == 0 or n in {0, len(labels) - 1}]
    axes.set_xticks(shown, [labels[number] for number in shown])
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.tick_params(axis="x", length=0)


def legend(figure: Figure, columns: int = 6) -> None:
    """Below all axes: what any of them shows, each once."""
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)
