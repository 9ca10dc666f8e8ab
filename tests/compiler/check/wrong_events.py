"""Valid schedules made wrong, each at one event."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from event_edits import (
    barrier_before,
    meets,
    moved,
    needs_barrier,
    phase_of,
    renumbered,
    unit_of,
    with_event,
)

from aretusa.trace.event import (
    Barrier,
    JobStart,
    JobWait,
    OpStart,
    Queue,
    Touch,
    TransferStart,
    TransferWait,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aretusa.trace.event import Event, Extent

    Events = list[Event]
    Maker = Callable[[Events], Iterator[Events]]

SITES: Final = 3  # of each kind that a schedule is made wrong at


def wrong_schedules(events: Events, seed: int) -> Iterator[tuple[str, Events]]:
    """A few of each kind, with the name of the kind."""
    for name, sites in KINDS.items():
        found = list(sites(events))
        chosen = random.Random(f"{seed} {name}").sample(found, min(SITES, len(found)))  # noqa: S311
        yield from ((f"{name}, event {at}", renumbered(wrong)) for at, wrong in chosen)


def _kernels(events: Events) -> Iterator[tuple[int, str, Event]]:
    """Every event with its place and the kernel that it belongs to."""
    kernel = ""
    for at, event in enumerate(events):
        kernel = event.kernel if isinstance(event, OpStart) else kernel
        yield at, kernel, event


def _needed_waits(events: Events) -> Iterator[tuple[int, Event]]:
    """Waits that no earlier one makes idle; the second copy to a cache waits for the first too."""
    done: dict[int, int] = {}
    for at, kernel, event in _kernels(events):
        if isinstance(event, TransferWait | JobWait):
            if event.number > done.get(unit_of(event), 0) and kernel != "CacheAppend":
                yield at, event
            done[unit_of(event)] = max(event.number, done.get(unit_of(event), 0))


def _no_wait(events: Events) -> Iterator[tuple[int, Events]]:
    for at, _ in _needed_waits(events):
        yield at, with_event(events, at)


def _wait_behind_barrier(events: Events) -> Iterator[tuple[int, Events]]:
    for at, event in _needed_waits(events):
        if isinstance(events[at + 1], Barrier) and any(
            isinstance(later, Touch) for _, later in phase_of(events, at + 1, 1)
        ):
            yield at, with_event(events, at, events[at + 1], event)[: at + 2] + events[at + 2 :]


def _no_transfer(events: Events) -> Iterator[tuple[int, Events]]:
    for at, event in enumerate(events):
        if isinstance(event, TransferStart):
            yield at, with_event(events, at)


def _no_job(events: Events) -> Iterator[tuple[int, Events]]:
    for at, event in enumerate(events):
        if isinstance(event, JobStart):
            yield at, with_event(events, at)


def _shifted(field: str, kind: type, by: int) -> Callable[[Events], Iterator[tuple[int, Events]]]:
    """Wrong addresses."""

    def make(events: Events) -> Iterator[tuple[int, Events]]:
        for at, event in enumerate(events):
            if isinstance(event, kind):
                place = getattr(event, field)
                wrong = replace(place, offset_bytes=place.offset_bytes + by)
                yield at, with_event(events, at, replace(event, **{field: wrong}))

    return make


def _short_transfer(events: Events) -> Iterator[tuple[int, Events]]:
    for at, event in enumerate(events):
        if isinstance(event, TransferStart) and event.source.size_bytes > 1:
            runs = max(event.source.count, event.target.count)
            source, target = (
                replace(end, size_bytes=end.size_bytes - runs // end.count)
                for end in (event.source, event.target)
            )
            yield at, with_event(events, at, replace(event, source=source, target=target))


def _runs_apart(events: Events) -> Iterator[tuple[int, Events]]:
    """The rows of another cache, or rows that overlap."""
    for at, event in enumerate(events):
        if isinstance(event, TransferStart):
            for field in ("source", "target"):
                end = getattr(event, field)
                for by in (-1, 4) if end.count > 1 else ():
                    wrong = replace(end, stride_bytes=end.stride_bytes + by)
                    yield at, with_event(events, at, replace(event, **{field: wrong}))


def _wrong_queue(events: Events) -> Iterator[tuple[int, Events]]:
    for at, event in enumerate(events):
        if isinstance(event, TransferStart):
            queue = Queue.OFF_CHIP if event.queue is Queue.DMA else Queue.DMA
            yield at, with_event(events, at, replace(event, queue=queue, number=10**6))


def _swapped_targets(events: Events) -> Iterator[tuple[int, Events]]:
    transfers = [(at, event) for at, event in enumerate(events) if isinstance(event, TransferStart)]
    for (at, one), (behind, other) in pairwise(transfers):
        if one.target.size_bytes == other.target.size_bytes and one.source != other.source:
            changed = with_event(events, at, replace(one, source=other.source))
            yield at, with_event(changed, behind, replace(other, source=one.source))


def _early_transfer(events: Events) -> Iterator[tuple[int, Events]]:
    """A slot filled before the cores have left it."""
    for at, event in enumerate(events):
        if not isinstance(event, TransferStart):
            continue
        barrier = barrier_before(events, at)
        reads = [
            access
            for _, earlier in phase_of(events, barrier, -1)
            if isinstance(earlier, Touch)
            for access in earlier.reads
        ]
        if any(meets(event.target, access) for access in reads):
            yield at, moved(events, at, barrier)


def _early_touch(events: Events) -> Iterator[tuple[int, Events]]:
    """Cores that read before the barrier behind what was written."""
    for at, event in enumerate(events):
        barrier = barrier_before(events, at)
        if isinstance(event, Touch) and needs_barrier(events, barrier, event.reads):
            yield at, moved(events, at, barrier)


def _early_job(events: Events) -> Iterator[tuple[int, Events]]:
    """A job before the barrier behind its inputs."""
    for at, event in enumerate(events):
        barrier = barrier_before(events, at)
        if isinstance(event, JobStart) and needs_barrier(events, barrier, (event.inputs,)):
            yield at, moved(events, at, barrier)


def _no_barrier(events: Events) -> Iterator[tuple[int, Events]]:
    """No barrier between cores that write and cores that read."""
    for at, event in enumerate(events):
        if isinstance(event, Touch):
            barrier = barrier_before(events, at)
            if needs_barrier(events, barrier, event.reads):
                yield barrier, with_event(events, barrier)


def _wrong_read(events: Events) -> Iterator[tuple[int, Events]]:
    for at, event in enumerate(events):
        if isinstance(event, Touch) and event.reads:
            first, *others = event.reads
            wrong = replace(first, offset_bytes=first.offset_bytes - 4)
            yield at, with_event(events, at, replace(event, reads=(wrong, *others)))


def _stale_read(events: Events) -> Iterator[tuple[int, Events]]:
    """What the step before left in the same place."""
    for at, event in enumerate(events):
        if isinstance(event, Touch) and event.reads and event.reads[0].content.startswith("step 1"):
            first, *others = event.reads
            wrong = replace(first, content=first.content.replace("step 1", "step 0"))
            yield at, with_event(events, at, replace(event, reads=(wrong, *others)))


def _short_write(events: Events) -> Iterator[tuple[int, Events]]:
    """Results without their first bytes; sums of a quantised value's runs may go unread."""
    read = {a.content for e in events if isinstance(e, Touch) for a in e.reads}
    for at, event in enumerate(events):
        if not isinstance(event, Touch) or event.phase.endswith(" join"):
            continue
        if event.writes and event.writes[-1].content in read:
            *others, last = event.writes
            if last.size_bytes > 4:
                late = replace(
                    last,
                    offset_bytes=last.offset_bytes + 4,
                    at_bytes=last.at_bytes + 4,
                    size_bytes=last.size_bytes - 4,
                )
                yield at, with_event(events, at, replace(event, writes=(*others, late)))


def _write_on_read(events: Events) -> Iterator[tuple[int, Events]]:
    """A transfer given to a slot that a job or another transfer still works with."""
    busy: Extent | None = None
    for at, event in enumerate(events):
        if isinstance(event, TransferWait):
            busy = None
        elif isinstance(event, TransferStart):
            if busy is not None and busy.size_bytes >= event.target.size_bytes:
                target = replace(busy, size_bytes=event.target.size_bytes)
                yield at, with_event(events, at, replace(event, target=target))
            busy = event.target


KINDS: Final[dict[str, Callable[[Events], Iterator[tuple[int, Events]]]]] = {
    "a wait left out": _no_wait,
    "a wait behind the barrier": _wait_behind_barrier,
    "a transfer left out": _no_transfer,
    "a job left out": _no_job,
    "a source 32 bytes on": _shifted("source", TransferStart, 32),
    "a source one byte back": _shifted("source", TransferStart, -1),
    "a target 32 bytes on": _shifted("target", TransferStart, 32),
    "weights of the next row": _shifted("weights", JobStart, 32),
    "inputs 4 bytes on": _shifted("inputs", JobStart, 4),
    "sums 32 bytes on": _shifted("outputs", JobStart, 32),
    "a transfer too short": _short_transfer,
    "runs too far apart": _runs_apart,
    "another queue": _wrong_queue,
    "sources exchanged": _swapped_targets,
    "a slot filled before it is left": _early_transfer,
    "a target that is busy": _write_on_read,
    "cores before the barrier": _early_touch,
    "a job before the barrier": _early_job,
    "a barrier left out": _no_barrier,
    "a read 4 bytes back": _wrong_read,
    "a read of the step before": _stale_read,
    "a write too short": _short_write,
}
