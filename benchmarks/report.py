"""docs/benchmarks.md from the measurements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from goals import (
    PER_MAC_GOAL,
    Verdict,
    compile_verdicts,
    emulated_verdicts,
    plan_verdicts,
    simulation_verdicts,
)
from markdown_text import count, mebibytes, paragraph, seconds, table
from report_plans import plan_sections
from report_runs import boot_section, host_section, instructions_section
from report_simulation import simulation_section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from isolated_kernels import IsolatedCount
    from machine_facts import MachineFacts
    from measurements import Measured, Measurements

INTRODUCTION: Final = """\
# Benchmarks

`make bench` measures all of this and writes this page; nothing here is edited by hand. Counts of
instructions, bytes and lines are exact and repeat. Seconds depend on the machine and on what else
it does: read them as ratios within one run. Three figures with slashes are least / median / most.
"""
_FIELD: Final = re.compile(r"(\w+)=(\d+)")
ISOLATED_DEPTH: Final = "576x1536"  # the products that the page shows; the JSON has all


def report(found: Measurements) -> str:
    """The whole page."""
    lines = [*INTRODUCTION.splitlines(), ""]
    lines += _machine(found.machine, found.minutes)
    lines += _goals(found)
    lines += _compile(found.models)
    if found.plans is not None:
        lines += plan_sections(found.plans)
    if found.simulation is not None:
        lines += simulation_section(found.simulation)
    for model in found.models:
        if model.emulated is not None:
            lines += instructions_section(model.subject, model.emulated)
    lines += _kernels(found.kernels)
    lines += boot_section(found.models, found.kernels)
    lines += host_section(found.models)
    return "\n".join(lines).rstrip() + "\n"


def _machine(machine: MachineFacts, minutes: float) -> Iterator[str]:
    tools = ", ".join(f"{name} {version}" for name, version in machine.tools.items())
    load = " / ".join(f"{value:.1f}" for value in machine.load)
    yield "## Where"
    yield ""
    yield f"- command: `make bench`, {minutes:.1f} minutes"
    yield f"- commit: {machine.commit} ({machine.product})"
    yield f"- machine: {machine.cores} cores of {machine.processor}, {machine.memory_gib:.0f} GiB"
    yield f"- load before the run, over 1 / 5 / 15 minutes: {load} processes for these cores"
    yield f"- Python {machine.python}, NumPy {machine.numpy}; {tools}"
    yield ""


def _goals(found: Measurements) -> Iterator[str]:
    verdicts: list[Verdict] = []
    for model in found.models:
        if model.compiled is not None:
            verdicts += compile_verdicts(model.subject, model.compiled)
        if model.emulated is not None:
            verdicts += emulated_verdicts(model.subject, model.emulated)
    if found.plans is not None:
        verdicts += plan_verdicts(found.plans)
    if found.simulation is not None:
        verdicts += simulation_verdicts(found.simulation)
    yield "## Goals"
    yield ""
    for model in found.models:
        if model.absence:
            yield from paragraph(f"{model.subject.name}: not measured: {model.absence}")
    rows = [(v.what, v.goal, v.found, "yes" if v.is_met else "**no**") for v in verdicts]
    yield from table(("goal", "", "found", "met"), rows)
    for missed in (verdict for verdict in verdicts if not verdict.is_met and verdict.reason):
        text = f"{missed.what}: {missed.found} instead of {missed.goal}. {missed.reason}"
        yield from paragraph(text)


def _compile(models: Iterable[Measured]) -> Iterator[str]:
    yield "## Compiling"
    yield ""
    yield from paragraph(
        "`aretusa compile MODEL -o DIRECTORY --engine cluster --force`, in a process of its own. "
        "The peak is that of its resident memory, pages of mapped files included. The C compiler "
        "runs when the program is first used; its seconds are for the firmware, two files at a "
        "time. The firmware is in whole pages of 4 KiB; the monitor with its page tables is only "
        "there to emulate the chip's addresses."
    )
    known = [(model.subject.name, model.compiled) for model in models if model.compiled]
    rows = [
        ("parameters", *(count(c.parameters) for _, c in known)),
        ("seconds", *(seconds(c.wall_s) for _, c in known)),
        ("processor seconds", *(seconds(c.cpu_s) for _, c in known)),
        ("peak memory", *(mebibytes(c.peak_bytes) for _, c in known)),
        ("network.c, lines", *(count(c.generated_lines) for _, c in known)),
        ("all generated files, lines", *(count(c.generated_files_lines) for _, c in known)),
        ("weight images, bytes", *(count(sum(c.image_bytes.values())) for _, c in known)),
        ("weights in them, bytes", *(count(c.weight_bytes) for _, c in known)),
        ("bits per parameter", *(f"{8 * c.weight_bytes / c.parameters:.2f}" for _, c in known)),
        ("C compiler, seconds", *(f"{c.make_wall_s:.1f}" for _, c in known)),
        ("C compiler, processor seconds", *(f"{c.make_cpu_s:.1f}" for _, c in known)),
        ("firmware: code, bytes", *(count(c.firmware.code) for _, c in known)),
        ("firmware: constants, bytes", *(count(c.firmware.constants) for _, c in known)),
        ("firmware: variables, bytes", *(count(c.firmware.variables) for _, c in known)),
        ("monitor of the emulation, bytes", *(count(c.firmware.monitor) for _, c in known)),
    ]
    yield from table(("", *(name for name, _ in known)), rows)


def _kernels(kernels: Iterable[IsolatedCount]) -> Iterator[str]:
    yield "## Kernels alone"
    yield ""
    yield from paragraph(
        "One hart, one call, results checked against NumPy (`tests/runtime/kernels/"
        "count_instructions.py`). Products: 576 rows of 1536 columns; decode is one token, prefill "
        f"eight. Goal for decode: {PER_MAC_GOAL} per MAC. `min`: a minimum per group, as Q4_1 has."
    )
    products = {k.kernel: k for k in kernels if ISOLATED_DEPTH in k.kernel}
    rows = []
    for name, one in products.items():
        if name.endswith("tokens 1"):
            eight = products[name.replace("tokens 1", "tokens 8")]
            rows.append((_form(name), f"{one.per_unit:.3f}", f"{eight.per_unit:.3f}"))
    yield from table(("instructions per MAC", "decode", "prefill"), rows)
    yield "Per element, per byte of the checksum, per MAC of the attention:"
    yield ""
    others = [k for k in kernels if not k.kernel.startswith("linear")]
    yield from table(
        ("kernel", "instructions", "units", "per unit"),
        [
            (_call(k.kernel), count(k.instructions), count(k.units), f"{k.per_unit:.2f}")
            for k in others
        ],
    )


def _form(name: str) -> str:
    """`linear w4 group 32 zero 0 ...` -> `W4 g32 min`: such a case without zero point has them."""
    _, bits, _, group, _, zero, *_ = name.split()
    text = f"{bits.upper()} {'channel' if group == '0' else f'g{group}'}"
    return f"{text} min" if (bits, zero) == ("w4", "0") else text


def _call(name: str) -> str:
    """The same in fewer words where a case is named by its record."""
    shape = dict(_FIELD.findall(name))
    if not shape:
        return name
    heads = f"{shape['heads']} heads of {shape['dim']}"
    return f"attention, {heads}, {int(shape['position']) + 1} positions"
