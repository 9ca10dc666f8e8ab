"""The sections of docs/benchmarks.md about plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goals import GAP_GOAL
from markdown_text import count, mebibytes, paragraph, seconds, table
from plan_cost import BITS
from predictions import ENGINES, PLACED_BITS, TARGET

from aretusa.options import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from plan_cost import LayerCount, PlanCost
    from plans import Plans
    from predictions import EnginePlan, PlacementQuality


def plan_sections(plans: Plans) -> Iterator[str]:
    """What plans cost, how good they are, and what they predict."""
    yield from _costs(plans)
    yield from _lines(plans.costs, plans.layers)
    yield from _placements(plans.placements)
    yield from _engines(plans.engines)


def _costs(plans: Plans) -> Iterator[str]:
    load = " / ".join(f"{value:.1f}" for value in plans.machine.load)
    yield "## Planning and compiling by size"
    yield ""
    yield from paragraph(
        f"`aretusa plan MODEL --bits {BITS} --json` and `aretusa compile MODEL --bits {BITS} "
        "--force --quiet -o DIRECTORY`, each in a process of its own. The llamas have random "
        "float32 weights in the shapes of `examples/configs`; SmolLM2 keeps the 4-bit codes of its "
        "file. This section and the three after it: `benchmarks/run.py --only plans`, "
        f"{plans.minutes:.1f} minutes at commit {plans.machine.commit}; load before over 1 / 5 / "
        f"15 minutes: {load} processes for {plans.machine.cores} cores. With more processes than "
        "cores, processor seconds say what the work is, seconds what the waiting was."
    )
    for name in plans.absent:
        yield from paragraph(f"{name}: not measured: its checkpoint is missing")
    costs = plans.costs
    yield from table(
        ("", *(cost.subject.name for cost in costs)),
        [
            ("parameters", *(count(cost.parameters) for cost in costs)),
            ("plan: seconds", *(seconds(cost.plan.wall_s) for cost in costs)),
            ("plan: processor seconds", *(seconds(cost.plan.cpu_s) for cost in costs)),
            ("plan: peak memory", *(mebibytes(cost.plan.peak_bytes) for cost in costs)),
            ("compile: seconds", *(seconds(cost.compiled.wall_s) for cost in costs)),
            ("compile: processor seconds", *(seconds(cost.compiled.cpu_s) for cost in costs)),
            ("compile: peak memory", *(mebibytes(cost.compiled.peak_bytes) for cost in costs)),
        ],
    )


def _lines(costs: Iterable[PlanCost], layers: Sequence[LayerCount]) -> Iterator[str]:
    yield "## Length of the generated C"
    yield ""
    yield from paragraph(
        "Lines of network.c after the same compilations. A layer adds a row to each table of "
        "places and matrices and no other line: code is the same for all layers of a kind."
    )
    head = ("model", "layers", "parameters", "lines", "of which rows of tables", "others")
    rows = [(c.subject.name, c.layers, c.parameters, c.source) for c in costs]
    rows += [(f"llama-0.5m, {c.layers} layers", c.layers, c.parameters, c.source) for c in layers]
    yield from table(
        head,
        [
            (
                name,
                str(number),
                count(parameters),
                count(source.lines),
                count(source.rows),
                count(source.other),
            )
            for name, number, parameters, source in rows
        ],
    )


def _placements(placements: Sequence[PlacementQuality]) -> Iterator[str]:
    yield "## Placement of weights"
    yield ""
    if not placements:
        return
    some = placements[0]
    yield from paragraph(
        f"`aretusa plan MODEL --bits {PLACED_BITS} --target {TARGET}`. The objective is the cycles "
        f"of a request of {some.prefill_tokens} prompt tokens and {some.decode_tokens} new ones. "
        "The bound is the solver's proof that no choice of engines and homes takes fewer, for the "
        "chunk and the buffers in L1 of this plan. First fit gives each weight in the order of the "
        f"graph its best engine and the first memory with room. Goal: {100 * GAP_GOAL:g} % of gap."
    )
    yield from table(
        (
            "model",
            "objective, Mcycles",
            "proven bound",
            "gap",
            "first fit",
            "first fit / objective",
            "decode, cycles per token",
            "tokens per second",
        ),
        [
            (
                placed.name,
                f"{placed.objective_cycles / 1e6:,.2f}",
                f"{placed.bound_cycles / 1e6:,.2f}",
                f"{100 * placed.gap:.3f} %",
                f"{placed.first_fit_cycles / 1e6:,.2f}",
                f"{placed.first_fit_ratio:.3f}",
                count(placed.decode_cycles_per_token),
                f"{placed.decode_tokens_per_second:,.3g}",
            )
            for placed in placements
        ],
    )


def _engines(engines: Iterable[EnginePlan]) -> Iterator[str]:
    yield "## Engines and bits"
    yield ""
    yield from paragraph(
        "`aretusa plan examples/models/tiny-orator --bits B --engine E`: predicted cycles. The "
        "widths are those of the layers; the embedding, which is the head too, has 8 bits "
        "throughout. The cluster computes with 4 or 8 bits and N-EUREKA's 1x1 mode with 8, "
        "whatever is stored; its 3x3 mode takes time by the bit. `split` is a fixed share of the "
        f"rows of every layer; `{AUTO}` is what the planner chooses to make the whole request "
        "short, in brackets as a share of the cluster alone."
    )
    found = {(plan.bits, plan.engine): plan for plan in engines}
    widths = sorted({bits for bits, _ in found})
    parts: list[tuple[str, Callable[[EnginePlan], int]]] = [
        ("Decode, cycles per token:", lambda plan: plan.decode_cycles),
        ("Linear layers alone, decode, cycles per token:", lambda plan: plan.linear_cycles),
        ("Prefill, cycles of the whole prompt:", lambda plan: plan.prefill_cycles),
        ("Both, cycles of the whole request:", lambda plan: plan.objective_cycles),
    ]
    for title, cycles in parts:
        yield title
        yield ""
        yield from table(
            ("bits", *ENGINES),
            [
                (str(bits), *_engine_cells({e: cycles(found[bits, e]) for e in ENGINES}))
                for bits in widths
            ],
        )


def _engine_cells(cycles: dict[str, int]) -> Iterator[str]:
    for engine, value in cycles.items():
        share = f" ({value / cycles[ENGINES[0]]:.3f})" if engine == AUTO else ""
        yield count(value) + share
