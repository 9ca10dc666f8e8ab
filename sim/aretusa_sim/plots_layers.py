"""Columns per layer: what its cycles consist of, and what its energy goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa_sim import plots_style as style
from aretusa_sim.plots_style import Plot

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aretusa_sim.energy_results import ComponentKey
    from aretusa_sim.results import OpResult, PhaseResult, SimulationResult

    Amount = Callable[[OpResult], float]

CYCLES: Final[tuple[tuple[str, str, Amount], ...]] = (
    ("cores work", style.ORANGE, lambda op: op.working_cycles),
    ("core 0 gives work", style.YELLOW, lambda op: op.giving_cycles),
    ("barriers", style.GREY, lambda op: op.barrier_cycles),
    ("wait for N-EUREKA", style.BLUE, lambda op: op.stalls.engine_cycles),
    ("wait for MCHAN", style.PINK, lambda op: op.stalls.dma_cycles),
    ("wait for the off-chip link", style.RED, lambda op: op.stalls.off_chip_cycles),
)
# What the other units do meanwhile: it overlaps with the columns.
MEANWHILE: Final[tuple[tuple[str, str, str, Amount], ...]] = (
    ("N-EUREKA busy", style.BLUE, "D", lambda op: op.engine_cycles),
    ("MCHAN busy", style.PINK, "o", lambda op: op.dma_in_cycles + op.dma_out_cycles),
    ("off-chip link busy", style.RED, "s", lambda op: op.off_chip_cycles),
)
LEAST: Final = 0.02  # of the tallest column: units that do less have no marks
COMPONENTS: Final[dict[ComponentKey, tuple[str, str]]] = {
    "n-eureka": ("N-EUREKA", style.BLUE),
    "cluster": ("cluster", style.ORANGE),
    "l1": ("L1", style.PINK),
    "l2": ("L2", style.YELLOW),
    "sram": ("SRAM", style.SKY),
    "mram": ("MRAM", style.GREEN),
    "weight-port": ("weight port", style.BROWN),
    "dma": ("MCHAN", style.VIOLET),
    "off-chip": ("off-chip link and L3", style.RED),
    "idle": ("idle", style.LIGHT_GREY),
    "leakage": ("leakage", style.GREY),
}


def cycles_plot(result: SimulationResult) -> Plot:
    """Stacked cycles of one token, layer by layer, in decode and in prefill."""

    def draw(figure: Figure) -> None:
        for axes, phase in _panels(figure, result):
            groups = _groups(phase)
            style.stacked(
                axes,
                list(groups),
                (
                    (name, colour, [_each(phase, own, amount) for own in groups.values()])
                    for name, colour, amount in CYCLES
                ),
            )
            for name, colour, marker, amount in MEANWHILE:
                heights = [_each(phase, own, amount) for own in groups.values()]
                if max(heights) > LEAST * axes.dataLim.y1:
                    axes.plot(heights, marker, color=colour, mec="white", mew=0.8, ms=5, label=name)
            style.count_axis(axes, "cycles per token")
        style.legend(figure, columns=5)

    return Plot(
        name="cycles-by-layer",
        title="What the cycles of each layer consist of",
        caption="Columns add up to the cycles of core 0. Marks show how long the other units are "
        "busy with the layer, which may be at the same time or earlier.",
        height_inches=5.2,
        draw=draw,
    )


def energy_plot(result: SimulationResult) -> Plot:
    """Stacked energy of one token, layer by layer, in decode and in prefill."""

    def draw(figure: Figure) -> None:
        for axes, phase in _panels(figure, result):
            groups = _groups(phase)
            style.stacked(
                axes,
                list(groups),
                (
                    (name, colour, [_each(phase, own, _energy(key)) for own in groups.values()])
                    for key, (name, colour) in COMPONENTS.items()
                ),
            )
            style.count_axis(axes, "uJ per token")
            axes.yaxis.set_major_formatter("{x:g}")
        style.legend(figure)

    energy = result.phase("decode").energy_per_token
    return Plot(
        name="energy-by-layer",
        title="Where the energy goes",
        caption=f"Nominal energies of a token. A decoded token takes {energy.nominal_uj:,.0f} uJ, "
        f"between {energy.low_uj:,.0f} and {energy.high_uj:,.0f} uJ with all constants of the "
        "target at the ends of their ranges.",
        height_inches=5.2,
        draw=draw,
    )


def _panels(figure: Figure, result: SimulationResult) -> list[tuple[Axes, PhaseResult]]:
    """One above the other, only phases that have steps; decode first."""
    phases = [result.phase(name) for name in ("decode", "prefill") if result.phase(name).steps]
    axes = figure.subplots(len(phases), 1, squeeze=False)[:, 0]
    for one, phase in zip(axes, phases, strict=True):
        one.set_title(f"{phase.phase}, {phase.tokens} tokens")
    axes[-1].set_xlabel("layer")
    return list(zip(axes, phases, strict=True))


def _groups(phase: PhaseResult) -> dict[str, list[OpResult]]:
    """Ops by layer; those before and after the layers have columns of their own."""
    found: dict[str, list[OpResult]] = {}
    for op in phase.ops:
        outside = "head" if len(found) > 1 else "in"
        found.setdefault(outside if op.layer is None else str(op.layer), []).append(op)
    return found


def _each(phase: PhaseResult, ops: list[OpResult], amount: Amount) -> float:
    """Of one token."""
    return sum(map(amount, ops)) / phase.tokens


def _energy(key: ComponentKey) -> Amount:
    def read(op: OpResult) -> float:
        found = op.energy.components.get(key)
        return 0.0 if found is None else found.nominal_uj

    return read
