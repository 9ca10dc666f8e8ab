"""The goals of issues 2 to 4, whether the figures meet them, and the reason where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plan_cost import BITS
from simulation_speed import ESTIMATE_GOAL_S, SMOLLM2_NAME, TASKS_GOAL, TOKEN_GOAL_S
from subjects import MIB

from aretusa.options import AUTO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from compile_cost import CompileCost
    from emulated import EmulatedCost, KernelCount
    from plan_cost import PlanCost, Repeated
    from plans import Plans
    from predictions import EnginePlan, PlacementQuality
    from simulation_speed import SimulationSpeed
    from subjects import Subject

PER_MAC_GOAL: Final = 3.5  # instructions per int8 multiply-accumulate of matrix times vector
GAP_GOAL: Final = 0.01  # between the placement and what the solver proves to be impossible

# Why a way of storing matrices is dear, from the disassembly of its kernel.
REASONS: Final = {
    "W8 channel": "A multiply-accumulate is a load, a multiplication and an addition; the load of "
    "the activation is shared by eight rows and the loop by a few columns, which makes about 3.2 "
    "(kernels alone, below). The rest are copies of the software DMA, which the chip's own does "
    "beside the cores.",
    "W8 g32": "To the 3.2 of a loop over 8-bit weights comes float work after every 32 columns: "
    "eight sums are converted, multiplied by their binary16 scales, which take three instructions "
    "each to widen without the Zfh extension, and added up: 3.45 (kernels alone, below). The rest "
    "are copies of the software DMA. Next: scales of the head as binary32.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One goal, what was found, and the reason if it is missed."""

    what: str
    goal: str
    found: str
    is_met: bool
    reason: str = ""


def compile_verdicts(subject: Subject, cost: CompileCost) -> Iterator[Verdict]:
    """Time, memory and size of a compilation."""
    yield Verdict(
        what=f"compile {subject.name}",
        goal=f"< {subject.compile_goal_s:g} s",
        found=f"{cost.best_wall_s:.1f} s (processor {cost.median_cpu_s:.1f} s)",
        is_met=cost.best_wall_s < subject.compile_goal_s,
    )
    if subject.peak_goal_mib is not None:
        yield Verdict(
            what=f"peak memory of compiling {subject.name}",
            goal=f"< {subject.peak_goal_mib:,} MiB",
            found=f"{cost.peak_bytes / MIB:,.0f} MiB",
            is_met=cost.peak_bytes < subject.peak_goal_mib * MIB,
        )
    if subject.lines_goal is not None:
        yield Verdict(
            what=f"generated C of {subject.name}",
            goal=f"< {subject.lines_goal:,} lines",
            found=f"{cost.generated_lines:,} lines",
            is_met=cost.generated_lines < subject.lines_goal,
        )


def emulated_verdicts(subject: Subject, cost: EmulatedCost) -> Iterator[Verdict]:
    """Instructions per multiply-accumulate of each form of matrix, and repetition."""
    for form, per_mac in per_form(cost.decode).items():
        is_met = per_mac < PER_MAC_GOAL
        yield Verdict(
            what=f"{subject.name}, decode, {form} matrices",
            goal=f"< {PER_MAC_GOAL} per MAC",
            found=f"{per_mac:.2f}",
            is_met=is_met,
            reason="" if is_met else REASONS.get(form, "not looked into"),
        )
    yield Verdict(
        what=f"{subject.name}, tokens and counts of two runs",
        goal="equal",
        found="equal" if cost.is_repeated_exactly else "different",
        is_met=cost.is_repeated_exactly,
    )


def per_form(kernels: tuple[KernelCount, ...]) -> Mapping[str, float]:
    """Instructions per multiply-accumulate of all products with matrices of one form."""
    instructions: dict[str, int] = {}
    macs: dict[str, int] = {}
    for kernel in kernels:
        if kernel.work.is_product:
            form = kernel.work.form
            instructions[form] = instructions.get(form, 0) + kernel.instructions
            macs[form] = macs.get(form, 0) + kernel.work.macs
    return {form: instructions[form] / macs[form] for form in macs}


def plan_verdicts(plans: Plans) -> Iterator[Verdict]:
    """Time and memory of planning and compiling, the placement, and the length of the C."""
    for cost in plans.costs:
        yield from _cost_verdicts(cost)
    yield from map(_placement_verdict, plans.placements)
    yield _choice_verdict(plans.engines)
    other = sorted({count.source.other for count in plans.layers})
    yield Verdict(
        what=f"network.c without rows of tables, {len(plans.layers)} numbers of layers",
        goal="equal",
        found=" / ".join(f"{lines:,} lines" for lines in other),
        is_met=len(other) == 1,
    )


def _cost_verdicts(cost: PlanCost) -> Iterator[Verdict]:
    subject = cost.subject
    if subject.plan_goal_s is not None:
        yield _time_verdict(f"plan {subject.name} --bits {BITS}", cost.plan, subject.plan_goal_s)
    if subject.compile_goal_s is not None:
        what = f"compile {subject.name} --bits {BITS}"
        yield _time_verdict(what, cost.compiled, subject.compile_goal_s)
    if subject.peak_goal_mib is not None:
        peak_mib = cost.compiled.peak_bytes / MIB
        yield Verdict(
            what=f"peak memory of compile {subject.name} --bits {BITS}",
            goal=f"< {subject.peak_goal_mib:,.0f} MiB",
            found=f"{peak_mib:,.0f} MiB",
            is_met=peak_mib < subject.peak_goal_mib,
        )


def _time_verdict(what: str, spent: Repeated, goal_s: float) -> Verdict:
    is_met = spent.best_wall_s < goal_s
    cpu = f"{spent.median_cpu_s:.1f} s"
    waited = not is_met and spent.median_cpu_s < goal_s
    return Verdict(
        what=what,
        goal=f"< {goal_s:g} s",
        found=f"{spent.best_wall_s:.1f} s (processor {cpu})",
        is_met=is_met,
        reason=f"It computed for {cpu}; the rest is waiting: see the load." if waited else "",
    )


def _choice_verdict(engines: Sequence[EnginePlan]) -> Verdict:
    """The planner may choose any single engine, so that its choice should be none the worse."""
    chosen = {plan.bits: plan.objective_cycles for plan in engines if plan.engine == AUTO}
    single = {
        bits: min(p.objective_cycles for p in engines if p.bits == bits and p.engine != AUTO)
        for bits in chosen
    }
    worst, bits = max((cycles / single[bits], bits) for bits, cycles in chosen.items())
    return Verdict(
        what="tiny-orator, request under `auto` beside the best single engine, worst width",
        goal="<= 1",
        found=f"{worst:.4f} at {bits} bits",
        is_met=worst <= 1,
    )


def _placement_verdict(placed: PlacementQuality) -> Verdict:
    return Verdict(
        what=f"placement of {placed.name}, gap to the proven bound",
        goal=f"<= {100 * GAP_GOAL:g} %",
        found=f"{100 * placed.gap:.3f} %",
        is_met=placed.gap <= GAP_GOAL,
    )


def simulation_verdicts(found: SimulationSpeed) -> Iterator[Verdict]:
    """Tasks a second, a token, and a large model, all in processor time."""
    decode = next(one for one in found.decodes if one.name == SMOLLM2_NAME)
    rate = decode.tasks_per_second
    yield Verdict(
        what=f"simulated tasks of {decode.name}",
        goal=f">= {TASKS_GOAL:,} / s",
        found=f"{rate:,.0f} / s ({decode.one_by_one_per_second:,.0f} / s one by one)",
        is_met=rate >= TASKS_GOAL,
    )
    slowest = max(decode.first_token_s, *decode.token_s)
    yield Verdict(
        what=f"a decoded token of {decode.name}, simulated, slowest",
        goal=f"< {TOKEN_GOAL_S:g} s",
        found=f"{slowest:.2f} s",
        is_met=slowest < TOKEN_GOAL_S,
    )
    yield Verdict(
        what=f"estimate {found.estimate_name}",
        goal=f"< {ESTIMATE_GOAL_S:g} s",
        found=f"{found.estimate_cpu_s:.1f} s",
        is_met=found.estimate_cpu_s < ESTIMATE_GOAL_S,
        reason=f"The plan alone takes {found.estimate_plan_cpu_s:.1f} s.",
    )
