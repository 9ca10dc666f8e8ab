"""The events are what the compiled program does: its own log says the same, line by line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

import pytest
import tiny_models
from listings import plan_named
from required_tools import skip_or_fail

from aretusa.execution.request import IdSegment, RunRequest
from aretusa.jobs.registers import job_image
from aretusa.neureka.registers import Register
from aretusa.trace.event import (
    TRANSFERS_MAX,
    Barrier,
    JobStart,
    JobWait,
    Touch,
    TransferStart,
    TransferWait,
)
from aretusa.trace.listing import listing
from aretusa.trace.steps import Forward, program_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.plan.make import Plan
    from aretusa.target.description import Target
    from aretusa.trace.event import Event, Extent

LOG: Final = Path(__file__).with_name("event_log.c")
WRAPPED: Final = re.findall(r"^WRAPPED\([^,]+, (\w+),", LOG.read_text("utf-8"), re.MULTILINE)
PHASES: Final = {
    "linear tile": ("linear tile",),
    "linear finish": ("linear finish",),
    "linear group": ("linear group",),
    "linear last group": ("linear group", "linear totals"),
    "attention keys": ("attention keys",),
    "attention value_scales": ("attention value_scales",),
    "attention values": ("attention values",),
}
PROMPT: Final = tuple(range(3, 279, 23))  # a full chunk and more
PROGRAMS: Final = (
    "chosen",
    "cluster",
    "3x3",
    "1x1",
    "split",
    "unsigned 1x1",
    "two kinds",
)
SLOW_PROGRAMS: Final = (
    "groups",
    "groups 3x3",
    "groups on the cluster",
    "paged 3x3",
    "paged 1x1",
    "paged split",
    "streamed",
)


def write_program(plan: Plan, build: Path) -> Path:
    """A build directory of a plan."""
    graph = plan.request.graph
    with mock.patch.object(tiny_models, "plan_of", return_value=plan):
        return tiny_models.write_build(graph, build)


def run_logged(build: Path, donor: Path, cores: int) -> list[str]:
    """What the host program does for a prompt and two more tokens."""
    tiny_models.lend_programs(donor, build)
    shutil.copy(LOG, build)
    wraps = ",".join(f"--wrap={name}" for name in WRAPPED)
    command = ["make", "host", f"HOST_FLAGS=-pthread -Wl,{wraps}"]
    environment = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL"}}
    subprocess.run(command, cwd=build, env=environment, check=True, capture_output=True)
    request = RunRequest(
        segments=(IdSegment(PROMPT),), max_new_tokens=2, record=False, ignore_stop=True
    )
    (build / "request.bin").write_bytes(request.encode(cores))
    program = [str(build / "aretusa-host"), ".", "--request", "request.bin"]
    subprocess.run(program, cwd=build, check=True, capture_output=True)
    lines = (build / "events.log").read_text("utf-8").splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("forward"))
    return lines[first:]


def forwards_of(log: list[str]) -> list[Forward]:
    """The steps that the program ran."""
    found: list[Forward] = []
    for line in log:
        kind, *numbers = line.split()
        if kind == "forward":
            position, *tokens = map(int, numbers)
            found.append(Forward(len(tokens), position, (), tuple(tokens)))
        elif kind == "head":
            last = found.pop()
            rows = (*last.rows, int(numbers[0]))
            found.append(Forward(last.tokens, last.position, rows, last.token_ids))
    return found


def lines_of(target: Target, events: list[Event]) -> Iterator[str]:
    """The same events as the log tells them."""
    for event, following in zip(events, [*events[1:], None], strict=True):
        match event:
            case TransferStart(queue=queue, number=number, source=source, target=to):
                where = f"{_place(source)} to {_place(to)}, {source.total_bytes}"
                yield f"transfer {queue:d} {number}: {where}{_runs(source)}{_runs(to)}"
            case JobStart(number=number):
                registers = " ".join(
                    f"{value:x}" for value in job_image(target, event, from_zero=False)
                )
                yield _without_idle_strides(f"job {number}: {registers}")
            case TransferWait() | JobWait():
                yield from _wait_lines(event, following)
            case Barrier():
                yield "barrier"
            case Touch(phase=phase):
                for name in PHASES.get(phase, ()):
                    yield f"{name} {event.tokens} x {event.rows}"
            case _:
                pass


def _wait_lines(event: TransferWait | JobWait, following: Event | None) -> Iterator[str]:
    """A wait, unless it is for room in the queue: those are inside the runtime."""
    match (event, following):
        case (TransferWait(queue=queue, number=number), TransferStart()):
            if (following.queue, following.number) != (queue, number + TRANSFERS_MAX):
                yield f"transfer {queue:d} {number} awaited"
        case (TransferWait(queue=queue, number=number), _):
            yield f"transfer {queue:d} {number} awaited"
        case (JobWait(), JobStart()):
            pass
        case _:
            yield f"job {event.number} awaited"


def _place(extent: Extent) -> str:
    return f"{extent.memory:d} {extent.offset_bytes}"


def _runs(extent: Extent) -> str:
    return f" in {extent.size_bytes} every {extent.stride_bytes}" if extent.count > 1 else ""


def _without_idle_strides(line: str) -> str:
    """A 1x1 job of one pixel never uses its strides between pixels."""
    job, _, text = line.partition(": ")
    registers = text.split()
    is_pixel = registers[Register.LAST_INPUT] == registers[Register.PIXEL_TILES] == "10001"
    if is_pixel:
        for register in (Register.INPUT_PIXEL_STRIDE, Register.INPUT_ROW_STRIDE):
            registers[register] = "-"
    return f"{job}: {' '.join(registers)}"


@pytest.mark.parametrize(
    "name", [*PROGRAMS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_PROGRAMS)]
)
def test_the_program_does_what_the_events_say(name: str, tiny_build: Path, tmp_path: Path) -> None:
    if shutil.which("gcc") is None or shutil.which("make") is None:
        skip_or_fail("gcc or make is not installed")
    plan = plan_named(name)
    cores = plan.request.target.cluster.cores
    log = run_logged(write_program(plan, tmp_path / "build"), tiny_build, cores)
    numbers = listing(plan)
    events = list(program_events(numbers, forwards_of(log)))
    told = list(lines_of(numbers.target, events))
    done = [
        _without_idle_strides(line) if re.match(r"job \d+:", line) else line
        for line in log
        if not line.startswith(("forward", "head"))
    ]
    pairs = zip_longest(told, done)
    assert next((where for where in enumerate(pairs) if where[1][0] != where[1][1]), None) is None
    assert len(told) > 400
