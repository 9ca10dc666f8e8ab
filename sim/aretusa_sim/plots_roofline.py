"""Rooflines: how fast ops multiply for each byte, under what the links and the units allow."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, Final

from aretusa_sim import plots_style as style
from aretusa_sim.limits import op_needs
from aretusa_sim.plots_style import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aretusa_sim.limit_results import LimitKey, LimitRates
    from aretusa_sim.results import OpResult, PhaseResult, SimulationResult

# Links by the resource of a limit: name, colour, and the field of the rates.
LINKS: Final[dict[LimitKey, tuple[str, str, str]]] = {
    "l1": ("L1", style.PINK, "l1_bytes"),
    "weight-port": ("weight port", style.BLUE, "weight_port_bytes"),
    "l2": ("L2", style.ORANGE, "l2_bytes"),
    "dma-in": ("MCHAN", style.GREEN, "dma_bytes"),
    "dma-out": ("MCHAN", style.GREEN, "dma_bytes"),
    "off-chip": ("off-chip link", style.RED, "off_chip_bytes"),
}
ENGINE_MARK: Final = "D"
CLUSTER_MARK: Final = "o"
NEAR: Final = 0.02  # decades: points that share a label
LABEL_POINTS: Final = 7.5
# Fractions of the axes: half a mark, from a mark to its label, and the size of a label.
MARK: Final = 0.011
GAP: Final = 0.035
LINE_HEIGHT: Final = 0.048
LETTER_WIDTH: Final = 0.0142
STEPS: Final = 24  # of half a line, up and down, that a label may be moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Ops of one name in all layers of a phase, against the link that they need longest."""

    names: tuple[str, ...]
    link: LimitKey
    macs_per_byte: float
    macs_per_cycle: float
    is_engine: bool


@dataclass(frozen=True, slots=True)
class _Box:
    """Where a mark or a label lies."""

    left: float
    low: float
    right: float
    high: float

    def meets(self, other: _Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.low < other.high and other.low < self.high


def roofline_points(phase: PhaseResult, rates: LimitRates) -> list[Point]:
    """One for each name of ops that multiply and move bytes."""
    groups: dict[str, list[OpResult]] = {}
    for op in phase.ops:
        groups.setdefault(op.name, []).append(op)
    found = (_point(name, ops, rates) for name, ops in groups.items())
    return [point for point in found if point is not None]


def _point(name: str, ops: list[OpResult], rates: LimitRates) -> Point | None:
    macs = sum(one.count for op in ops for one in op.macs)
    engine = sum(one.count for op in ops for one in op.macs if one.unit == "n-eureka")
    cycles = sum(op.cycles for op in ops)
    needs: dict[LimitKey, float] = {}
    for op in ops:
        for resource, need in op_needs(op, rates).items():
            if resource in LINKS:
                needs[resource] = needs.get(resource, 0.0) + need
    if not (macs and cycles and needs):
        return None
    link = max(needs, key=lambda resource: needs[resource])
    return Point(
        names=(name.rpartition(".")[2],),
        link=link,
        macs_per_byte=macs / (needs[link] * rate(rates, link)),
        macs_per_cycle=macs / cycles,
        is_engine=2 * engine > macs,
    )


def rate(rates: LimitRates, link: LimitKey) -> float:
    """Bytes per cycle of a link."""
    return float(getattr(rates, LINKS[link][2]))


def merged(points: list[Point]) -> list[Point]:
    """Points that lie on each other as one, the fastest first."""
    found: list[Point] = []
    for point in sorted(points, key=lambda one: (-one.macs_per_cycle, one.names)):
        for number, other in enumerate(found):
            if point.link == other.link and _distance(point, other) < NEAR:
                found[number] = Point(
                    names=(*other.names, *point.names),
                    link=other.link,
                    macs_per_byte=other.macs_per_byte,
                    macs_per_cycle=other.macs_per_cycle,
                    is_engine=other.is_engine,
                )
                break
        else:
            found.append(point)
    return found


def _distance(one: Point, other: Point) -> float:
    across = abs(log10(one.macs_per_byte / other.macs_per_byte))
    return max(across, abs(log10(one.macs_per_cycle / other.macs_per_cycle)))


def roofline_plot(result: SimulationResult) -> Plot:
    """Decode and prefill side by side, on the same axes."""
    rates = result.limits.rates
    phases = [result.phase(name) for name in ("decode", "prefill") if result.phase(name).steps]
    points = {phase.phase: merged(roofline_points(phase, rates)) for phase in phases}
    bits = sorted(
        {one.bits for phase in phases for op in phase.ops for one in op.macs if _engine(op)}
    )

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(phases), sharex=True, sharey=True, squeeze=False)[0]
        everything = [point for own in points.values() for point in own]
        _limits(panels[0], everything, rates, bits)
        for axes, phase in zip(panels, phases, strict=True):
            _roofs(axes, rates, bits, {point.link for point in points[phase.phase]})
            _marks(axes, points[phase.phase])
            axes.set_title(f"{phase.phase}, {phase.tokens} tokens")
            axes.set_xlabel("multiply-accumulates per byte of the link that an op needs longest")
            axes.grid(visible=True)
        panels[0].set_ylabel("multiply-accumulates per cycle")
        _legend(figure)

    decode = result.limits.phase(phases[0].phase).linear
    share = "" if decode.fraction is None else f"{100 * decode.fraction:.0f} %"
    return Plot(
        name="roofline",
        title="Rooflines",
        caption="Slopes are links, level lines units. The mark of an op has the colour of the link "
        "that it needs longest, and may lie above it where pages came before the op. The linear "
        f"layers of {phases[0].phase} reach {share} of the limit of {_words(decode.bound)}.",
        height_inches=4.6,
        draw=draw,
    )


def _engine(op: OpResult) -> bool:
    return any(one.unit == "n-eureka" for one in op.macs)


def _words(bound: LimitKey | None) -> str:
    match bound:
        case None:
            return "nothing"
        case "engine-macs":
            return "N-EUREKA's multipliers"
        case "cluster-macs":
            return "the cores' multipliers"
        case _:
            return f"the {LINKS[bound][0]}"


def _limits(axes: Axes, points: list[Point], rates: LimitRates, bits: list[int]) -> None:
    """Whole decades around points and level lines."""
    across = [point.macs_per_byte for point in points]
    up = [point.macs_per_cycle for point in points]
    top = max(rates.cluster_macs, *(rates.engine_bit_macs / width for width in bits), 0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(across) / 2, 12 * max(across))
    axes.set_ylim(10 ** floor(log10(min(up))), 2.2 * top)


def _roofs(axes: Axes, rates: LimitRates, bits: list[int], used: set[LimitKey]) -> None:
    """Slopes of all links, the bold ones those that an op needs longest."""
    left, right = axes.get_xlim()
    top = rates.engine_bit_macs / min(bits) if bits else rates.cluster_macs
    for link, (_, colour, _) in LINKS.items():
        slope = rate(rates, link)
        end = min(right, top / slope)
        width = 1.6 if link in used else 0.8
        axes.plot(
            [left, end], [left * slope, end * slope], color=colour, linewidth=width, alpha=0.8
        )
    levels = [(rates.cluster_macs, "cluster, 8-bit SIMD")]
    levels += [(rates.engine_bit_macs / width, f"N-EUREKA, {width} bits") for width in bits]
    for level, name in levels:
        axes.axhline(level, color=style.INK, linewidth=1, linestyle="--")
        axes.text(left * 1.08, level * 1.05, name, fontsize=LABEL_POINTS)


def _marks(axes: Axes, points: list[Point]) -> None:
    """Marks with their names beside them, moved apart where they would lie on each other."""
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [to_axes.transform((one.macs_per_byte, one.macs_per_cycle)) for one in points]
    taken = [_Box(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in places]
    for point, (x, y) in zip(points, places, strict=True):
        colour = LINKS[point.link][1]
        marker = ENGINE_MARK if point.is_engine else CLUSTER_MARK
        axes.plot(point.macs_per_byte, point.macs_per_cycle, marker, color=colour, ms=6)
        text = ", ".join(point.names)
        own = _free(x, y, len(text) * LETTER_WIDTH, taken)
        taken.append(own)
        is_right = own.left > x
        axes.annotate(
            text,
            xy=(x, y),
            xytext=(own.left if is_right else own.right, (own.low + own.high) / 2),
            xycoords="axes fraction",
            textcoords="axes fraction",
            fontsize=LABEL_POINTS,
            horizontalalignment="left" if is_right else "right",
            verticalalignment="center",
            arrowprops={
                "arrowstyle": "-",
                "color": style.INK,
                "linewidth": 0.5,
                "relpos": (0 if is_right else 1, 0.5),
                "shrinkA": 0,
                "shrinkB": 4,
            },
        )


def _free(x: float, y: float, width: float, taken: list[_Box]) -> _Box:
    """The nearest place for a label beside a mark, as fractions of the axes."""
    for step in range(STEPS):
        for height in (y - step * LINE_HEIGHT / 2, y + step * LINE_HEIGHT / 2):
            for left in (x + GAP, x - GAP - width):
                low = height - LINE_HEIGHT / 2
                box = _Box(left, low, left + width, low + LINE_HEIGHT)
                is_inside = box.left > 0 and box.right < 1 and box.low > 0
                if is_inside and not any(box.meets(other) for other in taken):
                    return box
    return _Box(x + GAP, y - LINE_HEIGHT / 2, x + GAP + width, y + LINE_HEIGHT / 2)


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - with the rest of matplotlib

    names = {name: colour for name, colour, _ in LINKS.values()}
    entries = [Line2D([], [], color=colour, label=name) for name, colour in names.items()]
    marks = (("mostly on N-EUREKA", ENGINE_MARK), ("on the cluster", CLUSTER_MARK))
    entries += [
        Line2D([], [], color=style.INK, marker=mark, linestyle="", label=name)
        for name, mark in marks
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries))
