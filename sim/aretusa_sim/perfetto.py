"""chrome_trace(): timings as a document that Perfetto and chrome://tracing open.

One track per unit, one for the steps; counters for the bytes alive in each memory, for the
bandwidth of each link while it is busy, as the mean of the op that it moves bytes for, and for the
power of each op, as the mean over its cycles. Times are microseconds at the cluster's clock;
`cycles` of an event are exact.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from aretusa_sim.energy import EnergyModel, mean_power
from aretusa_sim.program_rows import occupancy, op_infos
from aretusa_sim.units import Cause, Doing, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from aretusa.trace.listing import Listing
    from aretusa_sim.program_rows import OpInfo
    from aretusa_sim.timing import StepTiming

Event = dict[str, Any]  # as the trace event format has it: keys of many types
PROCESS: Final = 1
STEPS: Final = len(Unit)  # the track of steps
MEGA: Final = 1e6


def chrome_trace(listing: Listing, timings: Iterable[StepTiming]) -> dict[str, Any]:
    """The document. Timings without intervals have steps and memories only."""
    writer = _Writer(listing)
    events = [*_names()]
    for timing in timings:
        events += writer.step(timing)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"clock_hz": listing.target.clock.cluster_hz},
    }


def write_trace(path: Path, listing: Listing, timings: Iterable[StepTiming]) -> None:
    """The document as a file."""
    path.write_text(json.dumps(chrome_trace(listing, timings)) + "\n", "utf-8")


def _names() -> Iterator[Event]:
    tracks = {STEPS: "steps", **{int(unit): unit.key for unit in Unit}}
    for track, name in tracks.items():
        event = {"ph": "M", "pid": PROCESS, "tid": track, "name": "thread_name"}
        yield {**event, "args": {"name": name}}
        order = 0 if track == STEPS else 1 + len(Unit) - track
        yield {**event, "name": "thread_sort_index", "args": {"sort_index": order}}


class _Writer:
    def __init__(self, listing: Listing) -> None:
        self.infos = op_infos(listing)
        self.memories = occupancy(listing)
        self.energies = EnergyModel(listing.target)
        self.clock_hz = listing.target.clock.cluster_hz

    def step(self, timing: StepTiming) -> Iterator[Event]:
        """Spans and counters of one step."""
        name = f"{timing.tokens} tokens at {timing.position}"
        yield self._span(STEPS, timing.start, timing.end, name, {})
        epoch = None
        for time, row in timing.starts:
            yield from self._power(timing, time, row)
            if self.infos[row].epoch != epoch:
                epoch = self.infos[row].epoch
                yield from self._alive(time, epoch)
        for unit, start, end, label in timing.intervals:
            if label < 0:
                yield self._span(unit, start, end, _doing(label), {})
                continue
            info = self.infos[label]
            yield self._span(unit, start, end, _title(info), {"op": info.op})
            yield from self._bandwidth(timing, Unit(unit), start, end, label)
        if timing.starts:
            yield self._counter(timing.end, "mW", 0)

    def _span(self, track: int, start: int, end: int, name: str, more: dict[str, Any]) -> Event:
        return {
            "ph": "X",
            "pid": PROCESS,
            "tid": track,
            "ts": self._us(start),
            "dur": self._us(end - start),
            "name": name,
            "args": {"cycles": end - start, "start_cycle": start, **more},
        }

    def _alive(self, time: int, epoch: int) -> Iterator[Event]:
        for memory in self.memories:
            yield self._counter(time, f"{memory.memory} bytes", memory.alive_bytes[epoch])

    def _power(self, timing: StepTiming, time: int, row: int) -> Iterator[Event]:
        own = timing.rows[row]
        if own.cycles:
            energy = self.energies.energy(self.energies.counts(own, self.infos[row].mode))
            power = mean_power(energy, own.cycles / self.clock_hz)
            yield self._counter(time, "mW", power.nominal_mw)

    def _bandwidth(
        self, timing: StepTiming, unit: Unit, start: int, end: int, row: int
    ) -> Iterator[Event]:
        activity = timing.rows[row].activity
        moved, busy = activity.moved_bytes.get(unit, 0), activity.busy_cycles.get(unit, 0)
        if moved and busy:
            name = f"{unit.key} MB/s"
            yield self._counter(start, name, moved / busy * self.clock_hz / MEGA)
            yield self._counter(end, name, 0)

    def _counter(self, time: int, name: str, value: float) -> Event:
        args = {"value": value}
        return {"ph": "C", "pid": PROCESS, "ts": self._us(time), "name": name, "args": args}

    def _us(self, cycles: int) -> float:
        return cycles * MEGA / self.clock_hz


def _title(info: OpInfo) -> str:
    return info.name if info.layer is None else f"{info.layer} {info.name}"


def _doing(label: int) -> str:
    if label <= Doing.WAITING:
        return f"waits for {Cause(Doing.WAITING - label).key}"
    return "barrier" if label == Doing.BARRIER else "core 0 gives work"
