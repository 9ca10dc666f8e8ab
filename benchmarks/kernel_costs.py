"""Fit compiler/aretusa/cost/cluster_kernels.toml to counts of what the kernels execute.

`python benchmarks/kernel_costs.py --write` replaces the table, without it the table is compared.
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

from aretusa.cost.calls import KernelCall, Phase, Work, total
from aretusa.cost.events import COUNTS, KERNEL_TABLE, OWN_OPERANDS, Events, kernel_events
from aretusa.target.load import load_target

_TESTS: Final = ROOT / "tests" / "runtime" / "kernels"
if str(_TESTS) not in sys.path:
    sys.path.append(str(_TESTS))

from instruction_mix import Mix, MixCounter  # noqa: E402 - needs the path above
from kernel_shapes import Sample, fitted_samples, held_out_samples  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

CORES: Final = (1, 8)
DIGITS: Final = 2
HEADER: Final = """\
# What the kernels of runtime/src/kernels execute, per unit of work: written by
# benchmarks/kernel_costs.py, which counts them in QEMU phase by phase and fits these numbers.
# Kernel, phase (between two barriers), unit = events. Units are those of the calls in cost/*.py;
# events those of cost/events.py: all instructions, and those that can take more than a cycle.
# Compiled as the tests compile: riscv64-unknown-elf-gcc 12.2, -O2, rv32imfc.
"""


@dataclass(frozen=True, slots=True)
class Observation:
    """One core's work in one phase, and what it executed there."""

    kernel: str
    phase: str
    work: Work
    events: Events


def observe(counter: MixCounter, samples: Iterable[Sample]) -> list[Observation]:
    """Every phase of every call, as one core and as eight."""
    every = list(samples)
    found: list[Observation] = []
    for cores in CORES:
        counted = counter.count([sample.case for sample in every], cores)
        for sample, mixes in zip(every, counted, strict=True):
            found.extend(_observations(sample, sample.call(cores), mixes))
    return found


def _observations(
    sample: Sample, call: KernelCall, mixes: list[list[Mix]]
) -> Iterator[Observation]:
    assert all(len(phases) in {0, len(call.phases)} for phases in mixes), sample.case.name
    for index, phase in enumerate(call.phases):
        shares = [phases[index] for phases in mixes if phases]
        for work, mix in _busiest(phase, shares):
            yield Observation(call.kernel, phase.name, work, _events(mix, sample.operands))


def _busiest(phase: Phase, shares: list[Mix]) -> Iterator[tuple[Work, Mix]]:
    """Work and mix of each core where they differ by design, else of the one that does most."""
    if len(phase.busiest) == len(shares):
        yield from zip(phase.busiest, shares, strict=True)
    else:
        yield phase.busiest[0], max(shares, key=lambda mix: mix.instructions)


def _events(mix: Mix, operands: Mapping[int, str]) -> Events:
    def named(accesses: Mapping[str, int]) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for array, count in accesses.items():
            sums[operands[int(array)] if array.isdigit() else array] += count
        return dict(sums)

    counts = {name: float(getattr(mix, name)) for name in COUNTS}
    return Events(**counts, loads=named(mix.loads), stores=named(mix.stores))


def fit(observations: Iterable[Observation]) -> dict[str, dict[str, dict[str, Events]]]:
    """The table: for each phase the events of each unit that explain what was counted."""
    phases: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for one in observations:
        phases[one.kernel, one.phase].append(one)
    table: dict[str, dict[str, dict[str, Events]]] = defaultdict(dict)
    for (kernel, phase), found in phases.items():
        table[kernel][phase] = _fit_phase(found)
    return dict(table)


def _fit_phase(found: list[Observation]) -> dict[str, Events]:
    units = list(dict.fromkeys(unit for one in found for unit in one.work))
    used = [unit for unit in units if any(one.work.get(unit) for one in found)]
    work = np.array([[one.work.get(unit, 0) for unit in used] for one in found], np.float64)
    weight = np.array([1 / one.events.instructions for one in found])

    def solve(counts: Iterable[float]) -> dict[str, float]:
        solved = least_squares(work * weight[:, None], np.fromiter(counts, np.float64) * weight)
        return {unit: round(float(x), DIGITS) for unit, x in zip(used, solved, strict=True)}

    def accesses(kind: str) -> dict[str, dict[str, float]]:
        names = sorted({name for one in found for name in getattr(one.events, kind)})
        return {
            name: solve(getattr(one.events, kind).get(name, 0.0) for one in found) for name in names
        }

    counts = {name: solve(getattr(one.events, name) for one in found) for name in COUNTS}
    loads, stores = accesses("loads"), accesses("stores")
    return {
        unit: Events(
            **{name: counts[name].get(unit, 0.0) for name in COUNTS},
            loads={name: by[unit] for name, by in loads.items() if by.get(unit)},
            stores={name: by[unit] for name, by in stores.items() if by.get(unit)},
        )
        for unit in units
    }


def least_squares(work: F64, counts: F64) -> F64:
    """Least squares without negative solutions: the most negative unit is left out, one by one."""
    kept = list(range(work.shape[1]))
    solved = np.zeros(work.shape[1])
    while kept:
        scale = np.linalg.norm(work[:, kept], axis=0)
        found = np.linalg.lstsq(work[:, kept] / scale, counts, rcond=1e-9)[0] / scale
        if found.min() >= -(10.0**-DIGITS) / 2:
            solved[kept] = np.maximum(found, 0.0)
            break
        kept.pop(int(found.argmin()))
    return solved


def table_text(table: Mapping[str, Mapping[str, Mapping[str, Events]]]) -> str:
    """The table as TOML."""
    lines = [HEADER]
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


def errors(observations: Iterable[Observation]) -> Iterator[tuple[Observation, float, float]]:
    """Each observation with its instructions and its cycles over those that the table predicts."""
    target = load_target()
    for one in observations:
        events = kernel_events()[one.kernel][one.phase]
        places = _all_in_l1(one, events)
        guess = {unit: found.instructions for unit, found in events.items()}
        cycles = {
            unit: found.issue_cycles(target.core) + found.access_cycles(target, places)
            for unit, found in events.items()
        }
        counted = one.events.issue_cycles(target.core) + one.events.access_cycles(target, places)
        yield (
            one,
            total(one.work, guess) / one.events.instructions - 1,
            total(one.work, cycles) / counted - 1,
        )


def _all_in_l1(one: Observation, events: Mapping[str, Events]) -> dict[str, object]:
    names = {
        name for found in (*events.values(), one.events) for name in (*found.loads, *found.stores)
    }
    return {**dict.fromkeys(names, OWN_OPERANDS["own"]), **OWN_OPERANDS}


def main() -> int:
    """Count, fit, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        counter = MixCounter(Path(name))
        fitted = observe(counter, fitted_samples())
        if arguments.write:
            KERNEL_TABLE.write_text(table_text(fit(fitted)), "utf-8")
            kernel_events.cache_clear()
        held_out = observe(counter, held_out_samples())
    for title, found in (("fitted", fitted), ("held out", held_out)):
        worst: dict[str, tuple[float, float, int]] = {}
        for one, instructions, cycles in errors(found):
            key = f"{one.kernel}.{one.phase}"
            before = worst.get(key, (0.0, 0.0, 0))
            worst[key] = (
                max(before[0], abs(instructions), key=abs),
                max(before[1], abs(cycles), key=abs),
                before[2] + 1,
            )
        print(title)
        for key, (instructions, cycles, count) in worst.items():
            print(f"  {key:40} instructions {instructions:7.2%} cycles {cycles:7.2%} of {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
