"""Measure everything that docs/benchmarks.md shows: `make bench`, about ten minutes.

The JSON beside the page has every single figure. With --only the other sections stay as they are.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from compile_cost import measure_compile
from emulated import measure_boot, measure_emulated
from host_speed import measure_host
from isolated_kernels import measure_kernels
from machine_facts import machine_facts
from measurements import Measured, Measurements, as_json, from_json
from plans import measure_plans
from report import report
from simulation_speed import measure_simulation
from subjects import SUBJECTS

from aretusa.errors import AretusaError

if TYPE_CHECKING:
    from subjects import Subject

PARTS: Final = ("programs", "plans", "simulation")


def measure(
    subjects: tuple[Subject, ...], only: str | None, known: Measurements | None
) -> Measurements:
    """One part anew and the others as they are `known`, or all."""
    found = _measure_programs(subjects) if only in {None, "programs"} else known
    assert found is not None, "--only needs what is known"
    plans = None if known is None else known.plans
    simulation = None if known is None else known.simulation
    if only in {None, "plans"}:
        plans = measure_plans(_say)
    if only in {None, "simulation"}:
        simulation = measure_simulation(_say)
    return replace(found, plans=plans, simulation=simulation)


def _measure_programs(subjects: tuple[Subject, ...]) -> Measurements:
    start = time.monotonic()
    machine = machine_facts()  # first, for the load that others make
    _say("kernels alone")
    kernels = measure_kernels()
    models = tuple(map(_measure_model, subjects))
    minutes = (time.monotonic() - start) / 60
    return Measurements(machine=machine, minutes=minutes, models=models, kernels=kernels)


def _measure_model(subject: Subject) -> Measured:
    if subject.absence is not None:
        return Measured(subject=subject, absence=subject.absence)
    _say(f"{subject.name}: compiling")
    compiled = measure_compile(subject)
    _say(f"{subject.name}: instructions in QEMU")
    emulated = measure_emulated(subject)
    _say(f"{subject.name}: boot and tokenizer")
    boot = measure_boot(subject)
    _say(f"{subject.name}: host")
    host = measure_host(subject, has_reference=subject.path.suffix == ".gguf")
    return Measured(subject=subject, compiled=compiled, emulated=emulated, boot=boot, host=host)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> int:
    """Measure and write; the exit code is 1 if the product fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the page to write")
    parser.add_argument(
        "--model", action="append", choices=[s.name for s in SUBJECTS], help="only this one"
    )
    parser.add_argument("--only", choices=PARTS, help="measure this, keep the rest of the page")
    arguments = parser.parse_args()
    data = arguments.output.with_suffix(".json")
    if arguments.only and not data.is_file():
        parser.error(f"--only takes the other sections from {data}, which a whole run writes")
    subjects = tuple(s for s in SUBJECTS if arguments.model is None or s.name in arguments.model)
    try:
        known = from_json(data.read_text("utf-8")) if arguments.only else None
        found = measure(subjects, arguments.only, known)
    except AretusaError as problem:
        print(problem, file=sys.stderr)
        return 1
    arguments.output.write_text(report(found), "utf-8")
    data.write_text(as_json(found), "utf-8")
    _say(f"wrote {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
