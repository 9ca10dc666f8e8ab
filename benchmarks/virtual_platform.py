"""Cycles of decoded tokens on GVSoC, the chip's public virtual platform, beside the simulator's.

    python benchmarks/virtual_platform.py --output docs/virtual-platform.json

needs `gvsoc` on PATH, clang-19 and lld-19, and some minutes; with --table FILE it prints the table
of a file that it wrote, with --simulate FILE it simulates the models of that file anew. A program
decodes greedily behind a prompt, once as it is and once with counts per kernel: what they grow
behind the first token is decoding alone. What counting takes itself is the same for every call, and
left out. Every logit is compared with the program on this computer.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from markdown_text import count, table
from predicted_decode import MICRO_LLAMA
from subjects import ROOT, TINY_ORATOR, WORK

sys.path.append(str(ROOT / "tests"))

from tiny_models import write_model

from aretusa.driver import compile_model
from aretusa.execution.machine import run_host
from aretusa.execution.request import IdSegment, RunRequest
from aretusa.execution.virtual_platform import run_gvsoc
from aretusa.frontend.outline import open_outline
from aretusa.options import CompileOptions
from aretusa.program import Program
from aretusa.target.description import Kernels
from aretusa_sim.listings import built_listing
from aretusa_sim.program_rows import op_infos
from aretusa_sim.schedule import prefill_steps
from aretusa_sim.timing import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aretusa.execution.records import RunRecords
    from aretusa.trace.listing import Listing

TARGETS: Final = {Kernels.PORTABLE: "siracusa", Kernels.XPULP: "siracusa-xpulp"}
VOCABULARY: Final = 512  # of the 0.5 M network here: its tokenizer needs some
# The simulator's name of each kernel of the program.
OPS: Final = {
    "hidden": "embedding",
    "attention_input_codes": "norm",
    "ffn_input_codes": "norm",
    "head_input_codes": "norm",
    "q_proj_rotated_codes": "rotate heads",
    "append_keys": "append keys",
    "append_values": "append values",
    "attention": "attention",
    "attended_codes": "quantise",
    "activated_codes": "silu",
    "model_embed_tokens": "head",
    "lm_head": "head",
}
HEADS: Final = {"model.embed_tokens", "lm_head"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model, its weights' bits, and how much of it is run."""

    name: str
    bits: int
    prompt_tokens: int
    decode_tokens: int
    context: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decode:
    """Cycles of one decoded token, of which `ops` are parts."""

    subject: Subject
    kernels: str
    values: int  # logits that were compared with the program on this computer
    mismatches: int
    cycles: float  # of the plain program
    prefill_cycles: int
    ops: dict[str, float]
    simulated: float
    simulated_ops: dict[str, float]
    simulated_prefill: int


SUBJECTS: Final = (
    Subject(name="0.5 M network", bits=8, prompt_tokens=64, decode_tokens=3, context=256),
    Subject(name="0.5 M network", bits=4, prompt_tokens=64, decode_tokens=3, context=256),
    Subject(name="tiny-orator", bits=4, prompt_tokens=4, decode_tokens=2, context=512),
)


def compiled(subject: Subject, kernels: Kernels) -> Path:
    """The build of a subject, planned for such kernels."""
    name = f"virtual-{subject.name.replace(' ', '-')}-{subject.bits}-{kernels.value}"
    folder = WORK / name
    model = TINY_ORATOR.path
    if subject.name != TINY_ORATOR.name:
        model = folder.with_name(f"{folder.name}-model")
        model.mkdir(parents=True, exist_ok=True)
        config = open_outline(MICRO_LLAMA).config
        write_model(model, replace(config, vocab_size=VOCABULARY))
    options = CompileOptions(bits=subject.bits, context=subject.context, target=TARGETS[kernels])
    compile_model(model, folder, options)
    return folder


def run(build: Path, request: RunRequest) -> RunRecords:
    """The records of a run on the virtual platform, with the kernels of the target."""
    records = run_gvsoc(build, request).records
    assert records is not None, "records were asked for"
    return records


def measure(subject: Subject, kernels: Kernels) -> Decode:
    """Two runs: the plain program, and with counts per kernel."""
    build = compiled(subject, kernels)
    ids = tuple(int(i) for i in np.random.default_rng(7).integers(3, 260, subject.prompt_tokens))
    request = RunRequest(
        segments=(IdSegment(ids),),
        max_new_tokens=subject.decode_tokens + 1,
        ignore_stop=True,
        logits=True,
    )
    expected = run_host(build, request).records
    assert expected is not None, "records were asked for"
    plain = run(build, request)
    pairs = zip(plain.logits, expected.logits, strict=True)
    differ = [one.logits.view(np.uint32) != two.logits.view(np.uint32) for one, two in pairs]
    counted = run(build, replace(request, logits=False, profile=True))
    simulated = simulated_ops(build, subject)
    cycles = sum(token.instructions for token in plain.tokens[1:]) / subject.decode_tokens
    return Decode(
        subject=subject,
        kernels=kernels.value,
        values=sum(one.size for one in differ),
        mismatches=sum(int(np.count_nonzero(one)) for one in differ),
        cycles=cycles,
        prefill_cycles=plain.stop.prefill_instructions,
        ops=measured_ops(build, counted, subject.decode_tokens, cycles),
        simulated=sum(simulated.values()),
        simulated_ops=simulated,
        simulated_prefill=simulated_prefill(build, subject),
    )


def measured_ops(
    build: Path, counted: RunRecords, tokens: int, token_cycles: float
) -> dict[str, float]:
    """Cycles per token of each op; what no kernel takes is the choice of the token.

    A token takes `token_cycles` where nothing is counted.
    """
    found: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    first, last = counted.profiles[0], counted.profiles[-1]
    names = Program.open(build).manifest.profile
    for name, before, after in zip(names, first, last, strict=True):
        found[op_of(name)] += after.instructions - before.instructions
        calls[op_of(name)] += after.calls - before.calls
    whole = sum(one.instructions for one in counted.tokens[1:])
    found["choose token"] = whole - found.total()
    counting = (whole - tokens * token_cycles) / calls.total()  # of one call
    return {op: (cycles - counting * calls[op]) / tokens for op, cycles in found.items()}


def op_of(kernel: str) -> str:
    """The simulator's name of a kernel."""
    if kernel in OPS:
        return OPS[kernel]
    module, _, projection = kernel.removesuffix("_proj").rpartition("_")
    return f"{module}.{projection}_proj"


def simulated_ops(build: Path, subject: Subject) -> dict[str, float]:
    """Cycles per token of each op, by the simulator, over the same positions."""
    return simulated_ops_of(built_listing(Program.open(build)), subject)


def simulated_ops_of(listing: Listing, subject: Subject) -> dict[str, float]:
    """The same of a program's numbers."""
    simulator = Simulator(listing)
    infos = op_infos(listing)
    found: Counter[str] = Counter()
    for step in range(subject.decode_tokens):
        rows = simulator.step(1, subject.prompt_tokens + step, has_head=True).rows
        for info, row in zip(infos, rows, strict=True):
            found["head" if info.name in HEADS else info.name] += row.cycles
    return {op: cycles / subject.decode_tokens for op, cycles in found.items()}


def simulated_prefill(build: Path, subject: Subject) -> int:
    """Cycles of the prompt by the simulator, to the logits of its last token."""
    program = Program.open(build)
    simulator = Simulator(built_listing(program))
    return sum(
        simulator.step(step.tokens, step.position, has_head=step.has_head).cycles
        for step in prefill_steps(subject.prompt_tokens, program.manifest.options.chunk)
    )


def simulated_anew(one: dict[str, Any]) -> dict[str, Any]:
    """A measured model with the simulator's numbers of today."""
    subject, kernels = Subject(**one["subject"]), Kernels(one["kernels"])
    build = compiled(subject, kernels)
    found = simulated_ops(build, subject)
    prefill = simulated_prefill(build, subject)
    return {
        **one,
        "simulated": sum(found.values()),
        "simulated_ops": found,
        "simulated_prefill": prefill,
    }


def table_lines(decodes: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A table of each measured model, in Markdown."""
    for one in decodes:
        subject = one["subject"]
        yield (
            f"{subject['name']}, {subject['bits']} bits, {subject['prompt_tokens']} cached, "
            f"{one['kernels']} kernels: {one['mismatches']} of {one['values']:,} logits differ"
        )
        yield ""
        rows = [("all ops", *_cells(one["cycles"], one["simulated"]))]
        for op, cycles in sorted(one["ops"].items(), key=lambda pair: -pair[1]):
            rows.append((op, *_cells(cycles, one["simulated_ops"].get(op))))
        yield from table(("cycles per token", "GVSoC", "simulator", "difference"), rows)
        yield ""


def _cells(measured: float, simulated: float | None) -> tuple[str, str, str]:
    if simulated is None:
        return count(measured), "", ""
    return count(measured), count(simulated), f"{100 * (simulated / measured - 1):+.0f} %"


def main() -> None:
    """Measure and write, or print what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="where the measurements go")
    parser.add_argument("--table", type=Path, help="measurements to print")
    parser.add_argument("--simulate", type=Path, help="measurements to simulate anew")
    parser.add_argument("--only", default="", help="part of the name of a subject")
    arguments = parser.parse_args()
    if arguments.output:
        decodes = []
        for subject in SUBJECTS:
            for kernels in Kernels if arguments.only in f"{subject.name} {subject.bits}" else ():
                decodes.append(asdict(measure(subject, kernels)))
                arguments.output.write_text(json.dumps(decodes, indent=1) + "\n", "utf-8")
    if arguments.simulate:
        measured = json.loads(arguments.simulate.read_text("utf-8"))
        anew = [simulated_anew(one) for one in measured]
        arguments.simulate.write_text(json.dumps(anew, indent=1) + "\n", "utf-8")
    shown = arguments.table or arguments.output or arguments.simulate
    if shown:
        written = json.loads(shown.read_text("utf-8"))
        print("\n".join(table_lines(written)), end="")


if __name__ == "__main__":
    main()
