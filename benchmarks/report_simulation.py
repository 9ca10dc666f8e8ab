"""The section of docs/benchmarks.md about the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_text import count, paragraph, spread, table
from simulation_speed import BITS, CACHED, TARGET, TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulation_speed import SimulationSpeed


def simulation_section(found: SimulationSpeed) -> Iterator[str]:
    """How fast simulated time passes."""
    load = " / ".join(f"{value:.1f}" for value in found.machine.load)
    yield "## Simulating"
    yield ""
    yield from paragraph(
        f"Processor time of {TOKENS} decoded tokens behind {CACHED} positions, {BITS} bits, target "
        f"{TARGET}, timing alone. Tasks are kernels, jobs and transfers; they are counted exactly. "
        "Loops that have become steady are played from memory, in every cycle as if they were run; "
        "one by one nothing is. This section: `benchmarks/run.py --only simulation`, commit "
        f"{found.machine.commit}; load before over 1 / 5 / 15 minutes: {load}."
    )
    decodes = found.decodes
    yield from table(
        ("", *(one.name for one in decodes)),
        [
            ("tasks per token", *(count(one.tasks / len(one.token_s)) for one in decodes)),
            (
                "ms per token",
                *(spread([1e3 * s for s in one.token_s], "{:.1f}") for one in decodes),
            ),
            ("ms, first token", *(f"{1e3 * one.first_token_s:.0f}" for one in decodes)),
            ("tasks a second", *(count(one.tasks_per_second) for one in decodes)),
            (
                "tasks a second, one by one",
                *(count(one.one_by_one_per_second) for one in decodes),
            ),
        ],
    )
    yield from paragraph(
        f"`sim.estimate({found.estimate_name})`: {found.estimate_cpu_s:.1f} s, of which the plan "
        f"{found.estimate_plan_cpu_s:.1f} s."
    )
