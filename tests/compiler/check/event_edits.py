"""Lists of events with one thing changed, and what stands around an event."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aretusa.trace.event import (
    Access,
    Barrier,
    JobStart,
    JobWait,
    Queue,
    Touch,
    TransferStart,
    TransferWait,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.trace.event import Event, Extent

    Events = list[Event]

MANY: Final = 10**9


def renumbered(events: Events) -> Events:
    """Numbers of transfers and jobs in the order of the events; waits follow what they meant."""
    new: dict[tuple[int, int], int] = {}
    counts: Counter[int] = Counter()
    for event in events:
        if isinstance(event, TransferStart | JobStart):
            counts[unit_of(event)] += 1
            new[unit_of(event), event.number] = counts[unit_of(event)]
    meant = _last_meant(new)
    changed: Events = []
    seen: Counter[int] = Counter()
    for event in events:
        if isinstance(event, TransferStart | JobStart):
            changed.append(replace(event, number=new[unit_of(event), event.number]))
            seen[unit_of(event)] += 1
        elif isinstance(event, TransferWait | JobWait):
            unit = unit_of(event)
            last = meant[unit][bisect_right(meant[unit], (event.number, MANY)) - 1][1]
            changed.append(replace(event, number=min(last, seen[unit])))
        else:
            changed.append(event)
    return changed


def _last_meant(new: dict[tuple[int, int], int]) -> dict[int, list[tuple[int, int]]]:
    """Of each unit: old numbers, with the largest new one of those up to it."""
    found: dict[int, list[tuple[int, int]]] = {}
    for (unit, old), number in sorted(new.items()):
        known = found.setdefault(unit, [(0, 0)])
        known.append((old, max(known[-1][1], number)))
    return found


def unit_of(event: TransferStart | TransferWait | JobStart | JobWait) -> int:
    return event.queue if isinstance(event, TransferStart | TransferWait) else len(Queue)


def meets(one: Access | Extent, other: Access | Extent) -> bool:
    """Whether two hulls share bytes."""
    return (
        one.memory is other.memory
        and one.offset_bytes < _end(other)
        and other.offset_bytes < _end(one)
    )


def _end(place: Access | Extent) -> int:
    return place.end_bytes if isinstance(place, Access) else place.offset_bytes + place.size_bytes


def with_event(events: Events, at: int, *instead: Event) -> Events:
    return [*events[:at], *instead, *events[at + 1 :]]


def moved(events: Events, at: int, to: int) -> Events:
    """One event moved to before another one that stands earlier."""
    return [*events[:to], events[at], *events[to:at], *events[at + 1 :]]


def phase_of(events: Events, at: int, step: int) -> Iterator[tuple[int, Event]]:
    """Events behind (or before) one, up to a barrier."""
    at += step
    while 0 <= at < len(events) and not isinstance(events[at], Barrier):
        yield at, events[at]
        at += step


def barrier_before(events: Events, at: int) -> int:
    while at > 0 and not isinstance(events[at], Barrier):
        at -= 1
    return at


def needs_barrier(events: Events, barrier: int, reads: tuple[Access, ...]) -> bool:
    """Whether the phase before the barrier writes what is read behind it."""
    return any(
        wrote.content == read.content and meets(wrote, read)
        for _, earlier in phase_of(events, barrier, -1)
        if isinstance(earlier, Touch)
        for wrote in earlier.writes
        for read in reads
    )
