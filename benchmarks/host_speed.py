"""Tokens per second of the host program, beside llama.cpp on the same file and threads."""

from __future__ import annotations

import resource
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reference_engine import ReferenceRun, run_reference
from subjects import PROMPT, NotMeasured

from aretusa.execution.machine import run_host
from aretusa.execution.request import RunRequest, TextSegment

if TYPE_CHECKING:
    from subjects import Subject

    from aretusa.execution.records import RunRecords

THREADS: Final = (2, 1)  # one thread waits for nobody, so that other work disturbs it less
NEW_TOKENS: Final = 33  # the first belongs to the prompt
REPEATS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRun:
    """One greedy run of the program that was compiled for this computer."""

    prompt: list[int]
    tokens: list[int]
    decode_s: float  # from the first text to the last: all tokens but the first
    decode_cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpeed:
    """Runs in turn, ours and the reference's; empty references say why in `no_reference`."""

    threads: int
    decoded: int
    ours: tuple[HostRun, ...]
    theirs: tuple[ReferenceRun, ...]
    no_reference: str

    def our_rates(self) -> list[float]:
        """Tokens per second of each of our runs."""
        return [self.decoded / run.decode_s for run in self.ours]

    def their_rates(self) -> list[float]:
        """Tokens per second of each run of the reference."""
        return [self.decoded / run.decode_s for run in self.theirs]

    def ratios(self) -> list[float]:
        """Our tokens per second as a share of the reference's, neighbour by neighbour."""
        return [
            ours / theirs for ours, theirs in zip(self.our_rates(), self.their_rates(), strict=True)
        ]

    def cpu_ratio(self) -> float:
        """The reference's processor seconds as a share of ours, medians."""
        ours = statistics.median(run.decode_cpu_s for run in self.ours)
        return statistics.median(run.decode_cpu_s for run in self.theirs) / ours

    def common_tokens(self) -> int:
        """Tokens from the start that both engines chose alike."""
        pairs = zip(self.ours[0].tokens, self.theirs[0].tokens, strict=True)
        return next((at for at, (a, b) in enumerate(pairs) if a != b), len(self.ours[0].tokens))


def measure_host(subject: Subject, *, has_reference: bool) -> tuple[HostSpeed, ...]:
    """One comparison per number of threads; the reference reads GGUF only."""
    missing = "" if has_reference else "it reads no safetensors"
    _run(subject, 1, THREADS[0])  # builds the program
    return tuple(_compare(subject, threads, missing) for threads in THREADS)


def _compare(subject: Subject, threads: int, missing: str) -> HostSpeed:
    """Runs in turn, as long as there is a reference."""
    ours: list[HostRun] = []
    theirs: list[ReferenceRun] = []
    for _ in range(REPEATS):
        ours.append(_measure(subject, threads))
        if missing:
            continue
        found = run_reference(subject, PROMPT, NEW_TOKENS, threads=threads)
        if isinstance(found, NotMeasured):
            missing = found.reason
            theirs.clear()
        else:
            theirs.append(found)
    return HostSpeed(
        threads=threads,
        decoded=NEW_TOKENS - 1,
        ours=tuple(ours),
        theirs=tuple(theirs),
        no_reference=missing,
    )


def _measure(subject: Subject, threads: int) -> HostRun:
    """A run with its tokens timed by their text, and one without them for the processor's time."""
    short_cpu_s = _run(subject, 1, threads).cpu_s
    run = _run(subject, NEW_TOKENS, threads)
    return HostRun(
        prompt=list(run.records.prompt),
        tokens=[token.token for token in run.records.tokens],
        decode_s=run.text_s,
        decode_cpu_s=run.cpu_s - short_cpu_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A run of the host program: from its first text to its last, and all its processor time."""

    records: RunRecords
    text_s: float
    cpu_s: float


def _run(subject: Subject, tokens: int, threads: int) -> _Run:
    request = RunRequest(
        segments=(TextSegment(PROMPT, begin=True),), max_new_tokens=tokens, ignore_stop=True
    )
    times: list[float] = []
    before = _children_cpu_s()
    outcome = run_host(
        subject.build,
        request,
        on_text=lambda _: times.append(time.monotonic()),
        threads=threads,
    )
    assert outcome.records is not None, "every run here records"
    spent = _children_cpu_s() - before
    text_s = times[-1] - times[0] if times else 0.0
    return _Run(records=outcome.records, text_s=text_s, cpu_s=spent)


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
