"""Quality against bytes: each stage of a compression as a point."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Final

from aretusa.stage_table import MIB
from aretusa_sim import plots_style as style
from aretusa_sim.plots_style import Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aretusa.stage_table import StageTable

_COLOURS: Final = (style.BLUE, style.ORANGE, style.GREEN, style.RED, style.PINK)


def stages_plot(table: StageTable) -> Plot:
    """Perplexity of each text over the stored bytes, from stage to stage."""
    texts = list(dict.fromkeys(text for row in table.rows for text in row.perplexity))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for text, colour in zip(texts, cycle(_COLOURS), strict=False):
            rows = [row for row in table.rows if text in row.perplexity]
            sizes = [row.stored_bytes / MIB for row in rows]
            values = [row.perplexity[text] for row in rows]
            axes.plot(sizes, values, "o-", color=colour, ms=5, label=text)
            for row, x, y in zip(rows, sizes, values, strict=True):
                axes.annotate(row.stage, (x, y), xytext=(4, 4), textcoords="offset points")
        axes.set_xlabel("stored MiB")
        axes.set_ylabel("perplexity")
        axes.set_yscale("log")
        axes.set_xlim(left=0)
        axes.grid(visible=True, which="both")
        if texts:
            axes.legend()

    return Plot(
        name="stages",
        title="Quality against size",
        caption=f"Perplexity and stored bytes of {len(table.rows)} checkpoints of {table.run}.",
        height_inches=3.6,
        draw=draw,
    )
