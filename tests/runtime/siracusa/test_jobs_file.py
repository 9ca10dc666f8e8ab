"""jobs.txt against what the drivers write into the registers of the recorded bus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from listings import listing_named
from recorded_programs import ENGINE_JOB, MCHAN_COMMAND, read_record, request_of

from aretusa.jobs.registers import STRIDED_BIT
from aretusa.jobs.text import default_steps, event_lines
from aretusa.manifest import JOBS_FILE
from aretusa.neureka.registers import REGISTERS
from aretusa.trace.steps import program_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from recorded_programs import Access, RecordedNetwork

COMMAND_WORDS: Final = {False: 3, True: 5}  # of a copy without and with runs
Written = tuple[str, tuple[int, ...]]  # a job with its registers, or a copy with its words
PROGRAMS: Final = ("chosen", "paged split")
SHORTENED: Final = {"streamed"}  # a run of tiles that is told by its ends
SLOW_PROGRAMS: Final = ("cluster", "3x3", "1x1", "unsigned 1x1", "groups 3x3", "streamed")


def told(lines: Iterable[str]) -> Iterator[Written]:
    """What such lines say, in their order."""
    registers: list[int] = []
    for line in lines:
        if not line.startswith("    "):
            continue
        words = line.split()
        if len(words[0]) == 2:  # an offset
            registers.append(int(words[2], 16))
            if len(registers) == REGISTERS:
                yield "job", tuple(registers)
                registers = []
        else:
            has_runs = bool(int(words[0], 16) >> STRIDED_BIT & 1)
            yield "copy", tuple(int(word, 16) for word in words[: COMMAND_WORDS[has_runs]])


def done(accesses: Sequence[Access]) -> Iterator[Written]:
    """What core 0 wrote, in its order."""
    pending: dict[str, list[int]] = {"job": [], "copy": []}
    for access in accesses:
        if access.kind != "writes" or access.master != "core":
            continue
        number = (access.address - ENGINE_JOB) // 4
        kind = "copy" if access.address == MCHAN_COMMAND else "job"
        if kind == "job":
            if not 0 <= number < REGISTERS:
                continue
            assert number == len(pending[kind]), "registers are written in order"
        pending[kind].append(access.value)
        has_runs = bool(pending["copy"] and pending["copy"][0] >> STRIDED_BIT & 1)
        if len(pending[kind]) == (REGISTERS if kind == "job" else COMMAND_WORDS[has_runs]):
            yield kind, tuple(pending[kind])
            pending[kind] = []
    assert pending == {"job": [], "copy": []}


@pytest.mark.parametrize(
    "name", [*PROGRAMS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_PROGRAMS)]
)
def test_the_program_writes_what_the_file_says(
    name: str, recorded_network: Callable[[str], RecordedNetwork], tmp_path: Path
) -> None:
    network = recorded_network(name)
    steps = default_steps(listing_named(name).graph)
    prompt = [token for step in steps for token in step.token_ids]
    log = tmp_path / "bus.log"
    network.recorded(request_of(prompt, 1, logits=False), "mixed", log)
    written = list(done(read_record(log)))
    listing = listing_named(name)
    whole = list(told(event_lines(listing, program_events(listing, steps))))
    assert len(whole) > len(steps)
    assert written == whole
    file = list(told((network.build / JOBS_FILE).read_text("utf-8").splitlines()))
    assert is_part(file, whole)
    assert (file == whole) == (name not in SHORTENED)


def is_part(some: Sequence[Written], whole: Sequence[Written]) -> bool:
    """Whether all of some follow each other in the whole, with others between."""
    left = iter(whole)
    return all(item in left for item in some)
