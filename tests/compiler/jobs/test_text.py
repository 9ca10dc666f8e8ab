"""jobs.txt, as people read it."""

from __future__ import annotations

import re
from typing import Final

import pytest
from listings import PLANS, listing_named

from aretusa.jobs.meaning import meaning
from aretusa.jobs.text import HEAD, default_steps, job_lines
from aretusa.neureka.registers import REGISTERS, Register
from aretusa.trace.event import JobStart, Queue, TransferStart
from aretusa.trace.steps import program_events

PADDED: Final = re.compile(r"    (\w\w) (\w+) +([0-9a-f]{8})(?:  (\S.*))?")


@pytest.mark.parametrize("name", PLANS)
def test_every_job_and_copy_of_the_steps_is_told(name: str) -> None:
    listing = listing_named(name)
    lines = list(job_lines(listing))
    events = list(program_events(listing, default_steps(listing.graph), is_short=True))
    jobs = [event for event in events if isinstance(event, JobStart)]
    transfers = [event for event in events if isinstance(event, TransferStart)]
    registers = [match.groups() for line in lines if (match := PADDED.fullmatch(line))]
    assert [row[0] for row in registers[:REGISTERS]] == [
        f"{0x20 + 4 * number:02x}" for number in range(min(REGISTERS, len(registers)))
    ]
    assert len(registers) == REGISTERS * len(jobs)
    assert sum(line.startswith("  job ") for line in lines) == len(jobs)
    copies = [event for event in transfers if event.queue is Queue.DMA]
    assert sum(line.startswith("  copy ") for line in lines) == len(copies)
    requests = len(transfers) - len(copies)
    assert sum(line.startswith("  request ") for line in lines) == requests


def test_the_steps_fit_the_context() -> None:
    for name in ("chosen", "one token"):
        graph = listing_named(name).graph
        steps = default_steps(graph)
        assert sum(step.tokens for step in steps) <= graph.context
        assert [step.tokens for step in steps][-1] == 1
        assert steps[-1].rows == (0,)


def test_a_job_reads_like_this() -> None:
    lines = list(job_lines(listing_named("3x3")))
    first = next(number for number, line in enumerate(lines) if line.startswith("  job 1:"))
    assert lines[: len(HEAD)] == list(HEAD)
    name, *said = lines[first].split(", ")
    assert name.startswith("  job 1: model.layers.0.self_attn.")
    assert said[:2] == ["3x3", "4 bits"]
    rows = {
        match[2]: match[4]
        for line in lines[first : first + 1 + REGISTERS]
        if (match := PADDED.fullmatch(line))
    }
    assert rows["INPUT"].startswith("L1 + ")
    assert rows["WEIGHTS"].endswith(".weight#engine")
    assert rows["WEIGHT_OFFSET"] == "-8 to each stored code"
    assert rows["OUTPUT_BEAT_STRIDE"] == "32 bytes in a beat"
    assert rows["PADDING"] is None
    assert rows["CONFIG"] == (
        "3x3, 4 bits, weights in MRAM or SRAM, prefetch, signed inputs, 32-bit sums"
    )


def test_halves_of_a_register_are_told_apart() -> None:
    listing = listing_named("1x1")
    steps = default_steps(listing.graph)
    job = next(event for event in program_events(listing, steps) if isinstance(event, JobStart))
    said = meaning(Register.CHANNEL_TILES, 2 << 16 | 3, job)
    assert said == "2 tiles of output, 3 of input channels"
    assert meaning(Register.WEIGHT_OFFSET, 0, job) == "+0 to each stored code"
