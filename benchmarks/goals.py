"""The goals of issue 2 and whether the figures meet them, with the reason where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from subjects import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from compile_cost import CompileCost
    from emulated import EmulatedCost, KernelCount
    from subjects import Subject

PER_MAC_GOAL: Final = 3.5  # instructions per int8 multiply-accumulate of matrix times vector

# Why a way of storing matrices is dear, from the disassembly of its kernel.
REASONS: Final = {
    "W8 channel": "A multiply-accumulate is a load, a multiplication and an addition; the load of "
    "the activation is shared by eight rows and the loop by a few columns, which makes about 3.2.",
    "W8 g32": "To the 3.2 of a loop over 8-bit weights comes float work after every 32 columns: "
    "eight sums are converted, multiplied by their binary16 scales, which take three instructions "
    "each to widen without the Zfh extension, and added up. Next: scales of the head as binary32.",
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
