"""Fit the tables of compiler/aretusa/cost to counts of what the kernels execute.

`python benchmarks/kernel_costs.py --write` replaces the tables, without it they are compared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from subjects import ROOT

from aretusa.cost.calls import KernelCall, Work, total
from aretusa.cost.events import COUNTS, KERNEL_TABLES, OWN_OPERANDS, Events, kernel_events
from aretusa.target.description import Kernels, MemoryId
from aretusa.target.load import load_target

for _name in ("kernels", "instruction_set"):
    _TESTS = ROOT / "tests" / "runtime" / _name
    if str(_TESTS) not in sys.path:
        sys.path.append(str(_TESTS))

from instruction_mix import Mix, MixCounter  # noqa: E402 - need the paths above
from shape_lists import fitted_samples, held_out_samples  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kernel_shapes import Sample
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

CORES: Final = (1, 8)
DIGITS: Final = 2
HEADER: Final = """\
# What the kernels of runtime/src/kernels execute, per unit of work: written by
# benchmarks/kernel_costs.py, which counts them phase by phase in the simulator of
# tests/runtime/instruction_set and fits these numbers.
# Kernel, phase (between two barriers), unit = events. Units are those of the calls in cost/*.py;
# events those of cost/events.py: all instructions, and those that can take more than a cycle.
# Compiled as the tests compile: clang 19, -O2, rv32imc_zfinx{kernels}.
#
# Compared with GVSoC's siracusa target (209c147, its cluster's cores built for floats in the
# integer registers), where all results have the same bits: eight cores, operands in L1, two
# cycles for a multiplication as there, each call after the same one. Predicted over measured, of
# X.c and X_xpulp.c: attention -9 .. -25 %, since its code exceeds the cluster's cache (a first
# call, with the fetch of its code: -1 .. +7 %); rows of 756 elements or four tokens -9 .. +4 %,
# shorter ones -8 .. -25 %; heads -2 .. -24 %, appended ones -10 .. -34 % (giving transfers takes
# longer); finished sums -5 .. +12 %; embedding -23 %; greedy choice -2 %, a draw -9 %.
"""
VARIANTS: Final = {Kernels.PORTABLE: "", Kernels.XPULP: ", with X_xpulp.c in the place of X.c"}


@dataclass(frozen=True, slots=True)
class CountedPhase:
    """What each core executed in one phase."""

    name: str
    busiest: tuple[Work, ...]
    events: tuple[Events, ...]
    is_first: bool  # of its name in the call

    @property
    def shares(self) -> Iterator[tuple[Work, Events]]:
        """Each core by itself where their work differs by design, else the one that does most."""
        if len(self.busiest) == len(self.events):
            yield from zip(self.busiest, self.events, strict=True)
        else:
            yield self.busiest[0], max(self.events, key=lambda events: events.instructions)


@dataclass(frozen=True, slots=True)
class CountedCall:
    """One call of a kernel by a team."""

    kernel: str
    case: str
    cores: int
    phases: tuple[CountedPhase, ...]


def count_calls(counter: MixCounter, samples: Iterable[Sample]) -> list[CountedCall]:
    """Every call as one core and as eight."""
    every = list(samples)
    found: list[CountedCall] = []
    for cores in CORES:
        counted = counter.count([sample.case for sample in every], cores)
        for sample, phases in zip(every, counted, strict=True):
            call = sample.call(cores)
            found.append(
                CountedCall(
                    kernel=call.kernel,
                    case=sample.case.name,
                    cores=cores,
                    phases=tuple(_phases(sample, call, phases)),
                )
            )
    return found


def _phases(sample: Sample, call: KernelCall, counted: list[list[Mix]]) -> Iterator[CountedPhase]:
    """Code is new to a phase if no phase before it used it; later phases of a name count none."""
    known: frozenset[int] = frozenset()
    names: set[str] = set()
    for phase, mixes in zip(call.phases, counted, strict=True):
        is_first = phase.name not in names
        names.add(phase.name)
        yield CountedPhase(
            name=phase.name,
            busiest=phase.busiest,
            events=tuple(
                _events(mix, sample.operands, len(mix.code_lines - known) if is_first else 0)
                for mix in mixes
            ),
            is_first=is_first,
        )
        known = known.union(*(mix.code_lines for mix in mixes))


def _events(mix: Mix, operands: Mapping[int, str], code_lines: int) -> Events:
    def named(accesses: Mapping[str, int]) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for array, count in accesses.items():
            sums[operands.get(int(array), "own") if array.isdigit() else array] += count
        return dict(sums)

    counts = {name: float(getattr(mix, name)) for name in COUNTS if name != "code_lines"}
    counts["code_lines"] = float(code_lines)
    return Events(**counts, loads=named(mix.loads), stores=named(mix.stores))


def fit(calls: Iterable[CountedCall]) -> dict[str, dict[str, dict[str, Events]]]:
    """The table: for each phase the events of each unit that explain what was counted."""
    phases: dict[tuple[str, str], list[CountedPhase]] = defaultdict(list)
    for call in calls:
        for phase in call.phases:
            phases[call.kernel, phase.name].append(phase)
    table: dict[str, dict[str, dict[str, Events]]] = defaultdict(dict)
    for (kernel, phase_name), found in phases.items():
        table[kernel][phase_name] = _fit_phase(found)
    return dict(table)


def _fit_phase(phases: list[CountedPhase]) -> dict[str, Events]:
    found = [share for phase in phases for share in phase.shares if share[1].instructions > 0]
    units = list(dict.fromkeys(unit for work, _ in found for unit in work))
    used = [unit for unit in units if any(work.get(unit) for work, _ in found)]
    matrix = _matrix(found, used)
    weight = np.array([1 / events.instructions for _, events in found])

    def solve(counts: Iterable[float]) -> dict[str, float]:
        solved = least_squares(matrix * weight[:, None], np.fromiter(counts, np.float64) * weight)
        return {unit: round(float(x), DIGITS) for unit, x in zip(used, solved, strict=True)}

    def accesses(kind: str) -> dict[str, dict[str, float]]:
        names = sorted({name for _, events in found for name in getattr(events, kind)})
        return {
            name: solve(getattr(events, kind).get(name, 0.0) for _, events in found)
            for name in names
        }

    counts = {name: solve(getattr(events, name) for _, events in found) for name in COUNTS}
    counts["code_lines"] = _code_lines(phases, used)
    loads, stores = accesses("loads"), accesses("stores")
    return {
        unit: Events(
            **{name: counts[name].get(unit, 0.0) for name in COUNTS},
            loads={name: by[unit] for name, by in loads.items() if by.get(unit)},
            stores={name: by[unit] for name, by in stores.items() if by.get(unit)},
        )
        for unit in units
    }


def _matrix(found: list[tuple[Work, Events]], units: list[str]) -> F64:
    return np.array([[work.get(unit, 0) for unit in units] for work, _ in found], np.float64)


def _code_lines(phases: list[CountedPhase], units: list[str]) -> dict[str, float]:
    """Code is there once, however often a unit is done."""
    found = [share for phase in phases if phase.is_first for share in phase.shares]
    is_done = (_matrix(found, units) > 0).astype(np.float64)
    lines = least_squares(is_done, np.array([events.code_lines for _, events in found]))
    return {unit: round(float(count), DIGITS) for unit, count in zip(units, lines, strict=True)}


def least_squares(work: F64, counts: F64) -> F64:
    """Least squares without negative solutions: the most negative unit is left out, one by one."""
    kept = list(range(work.shape[1]))
    solved = np.zeros(work.shape[1])
    while kept:
        scale = np.linalg.norm(work[:, kept], axis=0) + np.finfo(np.float64).tiny
        found = np.linalg.lstsq(work[:, kept] / scale, counts, rcond=1e-9)[0] / scale
        if found.min() >= -(10.0**-DIGITS) / 2:
            solved[kept] = np.maximum(found, 0.0)
            break
        kept.pop(int(found.argmin()))
    return solved


def table_text(table: Mapping[str, Mapping[str, Mapping[str, Events]]], kernels: Kernels) -> str:
    """The table as TOML."""
    lines = [HEADER.format(kernels=VARIANTS[kernels])]
    for kernel, phases in table.items():
        for phase, units in phases.items():
            lines.append(f"[{kernel}.{phase}]")
            lines.extend(f"{unit} = {_counts(events)}" for unit, events in units.items())
            lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _counts(events: Events) -> str:
    words = [f"{name} = {getattr(events, name)}" for name in COUNTS if getattr(events, name)]
    for kind in ("loads", "stores"):
        words += [f"{kind}.{name} = {count}" for name, count in getattr(events, kind).items()]
    return f"{{ {', '.join(words)} }}" if words else "{}"


def errors(
    calls: Iterable[CountedCall], kernels: Kernels
) -> Iterator[tuple[CountedCall, float, float]]:
    """Each call with the errors of the instructions and of the cycles that the table predicts.

    Both are those of the busiest core of each phase, with every operand in L1.
    """
    target = load_target()

    def instructions(events: Events) -> float:
        return events.instructions

    def cycles(events: Events) -> float:
        places = dict.fromkeys((*events.loads, *events.stores), MemoryId.L1) | OWN_OPERANDS
        return events.issue_cycles(target.core) + events.access_cycles(target, places)

    for call in calls:
        table = kernel_events(kernels)[call.kernel]
        yield call, _error(call, table, instructions), _error(call, table, cycles)


def _error(
    call: CountedCall,
    table: Mapping[str, Mapping[str, Events]],
    measure: Callable[[Events], float],
) -> float:
    predicted = counted = 0.0
    for phase in call.phases:
        each = {unit: measure(events) for unit, events in table[phase.name].items()}
        predicted += max(total(work, each) for work in phase.busiest)
        counted += max(map(measure, phase.events))
    return predicted / counted - 1


def main() -> int:
    """Count, fit, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the tables")
    arguments = parser.parse_args()
    for kernels in Kernels:
        with tempfile.TemporaryDirectory() as name:
            _fit_and_compare(MixCounter(Path(name), kernels.value), kernels, arguments.write)
    return 0


def _fit_and_compare(counter: MixCounter, kernels: Kernels, writes: bool) -> None:
    fitted = count_calls(counter, fitted_samples())
    if writes:
        KERNEL_TABLES[kernels].write_text(table_text(fit(fitted), kernels), "utf-8")
        kernel_events.cache_clear()
    held_out = count_calls(counter, held_out_samples())
    for title, calls in (("fitted", fitted), ("held out", held_out)):
        print(f"{kernels.value + ', ' + title:25} calls  worst error of instructions, of cycles")
        worst: dict[str, tuple[int, float, float]] = defaultdict(lambda: (0, 0.0, 0.0))
        for call, instructions, cycles in errors(calls, kernels):
            count, *before = worst[call.kernel]
            now = (max(pair, key=abs) for pair in zip(before, (instructions, cycles), strict=True))
            worst[call.kernel] = (count + 1, *now)
        for kernel, (count, instructions, cycles) in worst.items():
            print(f"  {kernel:23} {count:5}  {instructions:+7.2%} {cycles:+7.2%}")


if __name__ == "__main__":
    sys.exit(main())
