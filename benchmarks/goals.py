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

# Why a way of storing matrices misses the goal, from the disassembly of its kernel.
REASONS: Final = {
    "W8 g32": "The inner loop has 103 instructions for 32 multiply-accumulates (36 loads, 32 "
    "multiplications, 32 additions, 3 of the loop), 3.22 each. After each group of 32 columns the "
    "eight sums are converted, multiplied by their scales and added up, 7 instructions each, of "
    "which 4 widen a binary16 scale without the Zfh extension; with the loop's start and end that "
    "is about 96 per 256 multiply-accumulates, 0.38 each. Next: a loop of fixed length 32 without "
    "the test for leftover columns, unrolled by eight; scales of the head stored as binary32.",
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
