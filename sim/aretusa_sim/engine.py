"""Timeline: a discrete-event engine over units that work through queues in order.

The cluster is the one process that gives work and waits for it. Its local time runs ahead of the
other units, but never past the next time at which it gives or awaits something. Ends of tasks lie
in a heap of (time, unit, sequence), so that equal times have one order. Times are whole cycles of
the cluster.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from operator import add
from typing import TYPE_CHECKING, Final

from aretusa.trace.event import JOBS_MAX, TRANSFERS_MAX, Queue
from aretusa_sim.units import CAUSE_OF_QUEUE, JOBS, QUEUES, Doing, Unit

if TYPE_CHECKING:
    from aretusa_sim.units import Costs

# Stages of a task, one after another: units and cycles.
Stages = tuple[tuple[int, int], ...]
# A task: its queue, its number there, the stages before it, and its label.
_Task = tuple[int, int, Stages, int]
# What a unit does: sequence, start, end, the task's stages behind this one.
_Running = tuple[int, int, int, _Task]
# All that the future of the units depends on: what they do, what waits for each and for the link
# before it, what is done, and what was done early. Times are counted from now, tasks from the last
# one given to their queue, labels from the row.
_Moving = tuple[int, int, _Task]
Frozen = tuple[
    tuple[_Moving | None, ...],
    tuple[tuple[_Task, ...], ...],
    tuple[int, ...],
    tuple[tuple[int, ...], ...],
]
Interval = tuple[int, int, int, int]  # unit, start, end, label

ROOM: Final = (TRANSFERS_MAX, TRANSFERS_MAX, TRANSFERS_MAX, JOBS_MAX)
LINK: Final = int(Unit.LINK)
CLUSTER: Final = int(Unit.CLUSTER)
PAGES: Final = int(Queue.PAGES)
BARRIER: Final = int(Doing.BARRIER)
GIVING: Final = int(Doing.GIVING)
WAITING: Final = int(Doing.WAITING)


class Timeline:
    """The state of all units, and where the cluster's cycles went.

    `now` is the time of core 0: `working`, `giving`, `at_barriers` and `stalls` add up to it.
    `intervals`, where wanted, stand in the order in which they ended.
    """

    def __init__(self, costs: Costs, *, has_intervals: bool = False) -> None:
        """All units idle at time 0."""
        self.costs = costs
        self.now = 0
        self.working = self.giving = self.at_barriers = self.tasks = 0
        self.stalls = [0, 0, 0]
        self.busy = [0 for _ in Unit]
        self.first_row = 0  # what labels are counted from
        self.intervals: list[Interval] | None = [] if has_intervals else None
        self._heap: list[tuple[int, int, int]] = []
        self._sequence = 0
        self._running: list[_Running | None] = [None for _ in Unit]
        self._waiting: list[deque[_Task]] = [deque() for _ in Unit]
        self._urgent: deque[_Task] = deque()  # before what waits for the link
        self._given = [0] * QUEUES
        self._done = [0] * QUEUES
        self._early: list[set[int]] = [set() for _ in range(QUEUES)]

    def work(self, cycles: int, label: int) -> None:
        """All cores work."""
        if self.intervals is not None:
            self._spend(cycles, self.first_row + label)
        self.now += cycles
        self.working += cycles
        self.tasks += 1

    def barrier(self) -> None:
        """All cores meet. Core 0 is never the first: it does all that the others do."""
        cycles = self.costs.barrier
        if self.intervals is not None:
            self._spend(cycles, BARRIER)
        self.now += cycles
        self.at_barriers += cycles

    def give(self, queue: int, stages: Stages, label: int) -> None:
        """Core 0 gives a task, once there is room."""
        number = self._given[queue] + 1
        self._given[queue] = number
        if number - self._done[queue] > ROOM[queue]:
            self.wait(queue, ROOM[queue])
        self._give_for(self.costs.program if queue == JOBS else self.costs.give)
        self.tasks += 1
        self._end_until_now()
        self._submit((queue, number, stages, self.first_row + label), self.now)

    def wait(self, queue: int, back: int) -> None:
        """Core 0 waits for all tasks of a queue but the last `back` ones."""
        number = self._given[queue] - back
        self._end_until_now()
        if self._done[queue] >= number:
            self._give_for(self.costs.check)
        else:
            self._sleep(queue, number)

    def take_intervals(self) -> tuple[Interval, ...]:
        """What was kept since the last call."""
        if self.intervals is None:
            return ()
        taken, self.intervals = tuple(self.intervals), []
        return taken

    def finish(self) -> None:
        """Let the other units finish; the cluster does not wait."""
        while self._heap:
            self._end_next()

    def freeze(self) -> Frozen:
        """The state of the units now."""
        self._end_until_now()
        now, first, given = self.now, self.first_row, self._given

        def moved(task: _Task) -> _Task:
            queue, number, stages, label = task
            return queue, number - given[queue], stages, label - first

        return (
            tuple([one and (one[1] - now, one[2] - now, moved(one[3])) for one in self._running]),
            tuple([tuple(map(moved, tasks)) for tasks in (*self._waiting, self._urgent)]),
            tuple([done - last for done, last in zip(self._done, given, strict=True)]),
            tuple(
                [
                    tuple(sorted(number - last for number in early))
                    for early, last in zip(self._early, given, strict=True)
                ]
            ),
        )

    def counters(self) -> tuple[int, ...]:
        """All that only grows."""
        spent = (self.now, self.working, self.giving, self.at_barriers, self.tasks)
        return (*spent, *self.stalls, *self.busy)

    def given(self) -> tuple[int, ...]:
        """Tasks given to each queue."""
        return tuple(self._given)

    def advance(self, counters: tuple[int, ...], given: tuple[int, ...]) -> None:
        """Count what was done before; the units are where they were until `thaw`."""
        now, working, giving, barriers, tasks = counters[:5]
        self.now += now
        self.working += working
        self.giving += giving
        self.at_barriers += barriers
        self.tasks += tasks
        self.stalls = list(map(add, self.stalls, counters[5:8]))
        self.busy = list(map(add, self.busy, counters[8:]))
        self._given = list(map(add, self._given, given))

    def thaw(self, frozen: Frozen) -> None:
        """The units are in that state now."""
        now, first, given = self.now, self.first_row, self._given
        running, waiting, done, early = frozen

        def moved(task: _Task) -> _Task:
            queue, number, stages, label = task
            return queue, number + given[queue], stages, label + first

        self._heap.clear()
        for unit, one in enumerate(running):
            self._running[unit] = None
            if one is not None:
                start, end, task = one
                self._put(unit, (0, start + now, end + now, moved(task)))
        self._waiting = [deque(map(moved, tasks)) for tasks in waiting[:-1]]
        self._urgent = deque(map(moved, waiting[-1]))
        self._done = [count + last for count, last in zip(done, given, strict=True)]
        self._early = [
            {number + last for number in numbers}
            for numbers, last in zip(early, given, strict=True)
        ]

    def _give_for(self, cycles: int) -> None:
        if self.intervals is not None:
            self._spend(cycles, GIVING)
        self.now += cycles
        self.giving += cycles

    def _sleep(self, queue: int, number: int) -> None:
        """Until that task is done; then the cores wake up."""
        start = self.now
        while self._done[queue] < number:
            if not self._heap:
                raise ValueError(f"task {number} of queue {queue} was never given")
            self.now = max(self.now, self._end_next())
        self.now += self.costs.wake
        cause = CAUSE_OF_QUEUE[queue]
        self.stalls[cause] += self.now - start
        if self.intervals is not None:
            self.intervals.append((CLUSTER, start, self.now, WAITING - cause))

    def _spend(self, cycles: int, label: int) -> None:
        if cycles and self.intervals is not None:
            self.intervals.append((CLUSTER, self.now, self.now + cycles, label))

    def _end_until_now(self) -> None:
        heap = self._heap
        while heap and heap[0][0] <= self.now:
            self._end_next()

    def _end_next(self) -> int:
        """Handle the next end of a stage; returns its time."""
        time, unit, sequence = heappop(self._heap)
        running = self._running[unit]
        if running is None or running[0] != sequence:
            return 0  # the page was cut: it ended before
        self._running[unit] = None
        _, start, _, (queue, number, stages, label) = running
        if self.intervals is not None:
            self.intervals.append((unit, start, time, label))
        if not stages:
            self._end(queue, number)
        elif queue == PAGES and stages[0][0] == LINK:
            self._waiting[LINK].appendleft((queue, number, stages, label))
        else:
            self._submit((queue, number, stages, label), time)
        if self._running[unit] is None:
            if unit == LINK and self._urgent:
                self._start(self._urgent.popleft(), time)
            elif self._waiting[unit]:
                self._start(self._waiting[unit].popleft(), time)
        return time

    def _end(self, queue: int, number: int) -> None:
        """Both directions of a queue may end in another order than they began."""
        done = self._done[queue] + 1
        if number != done:
            self._early[queue].add(number)
            return
        early = self._early[queue]
        while done + 1 in early:
            done += 1
            early.remove(done)
        self._done[queue] = done

    def _submit(self, task: _Task, time: int) -> None:
        """The task's unit takes it up, or it waits there."""
        unit = task[2][0][0]
        running = self._running[unit]
        if running is None:
            self._start(task, time)
        elif unit != LINK or task[0] == PAGES:
            self._waiting[unit].append(task)
        else:
            self._urgent.append(task)
            if running[3][0] == PAGES:
                self._cut_page(running, time)

    def _start(self, task: _Task, time: int) -> None:
        queue, number, stages, label = task
        unit, cycles = stages[0]
        end = time + cycles
        self.busy[unit] += cycles
        self._sequence = sequence = self._sequence + 1
        self._running[unit] = (sequence, time, end, (queue, number, stages[1:], label))
        heappush(self._heap, (end, unit, sequence))

    def _put(self, unit: int, running: _Running) -> None:
        """The unit does that from now on, under a new sequence number."""
        self._sequence += 1
        _, start, end, task = running
        self._running[unit] = (self._sequence, start, end, task)
        heappush(self._heap, (end, unit, self._sequence))

    def _cut_page(self, running: _Running, time: int) -> None:
        """The page ends with its chunk; what is left of it waits in front of other pages."""
        _, start, old_end, (queue, number, stages, label) = running
        chunk = self.costs.chunk
        end = start + max(1, -(-(time - start) // chunk)) * chunk
        left = old_end - end
        if left <= 0:
            return
        self.busy[LINK] -= left
        self._put(LINK, (0, start, end, (queue, number, ((LINK, left), *stages), label)))
