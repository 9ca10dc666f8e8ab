"""Lowering: the events of one op -> a segment of code."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.trace.event import (
    JOBS_MAX,
    TRANSFERS_MAX,
    Barrier,
    JobStart,
    JobWait,
    Queue,
    Touch,
    TransferStart,
    TransferWait,
)
from aretusa_sim.activity import WORD_BYTES, Activity
from aretusa_sim.code import BARRIER, GIVE, WAIT, WORK, Segment, blocks
from aretusa_sim.kernels import attention_work, choice_work, copy_work, counted_work
from aretusa_sim.repeats import Repeats
from aretusa_sim.units import JOBS, QUEUES, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from aretusa.trace.event import Event
    from aretusa_sim.code import Block, Instruction
    from aretusa_sim.core_work import Code, CoreWork, Share
    from aretusa_sim.durations import Durations
    from aretusa_sim.kernels import Counted
    from aretusa_sim.op_call import OpCall

CHOICE: Final = "choose"  # the phase in which core 0 takes a token
MULTIPLYING: Final = {
    "linear tile": Unit.CLUSTER,
    "linear finish": Unit.ENGINE,
    "linear group": Unit.ENGINE,
    "linear last group": Unit.ENGINE,
}
ATTENDING: Final = {"attention keys", "attention values"}
CACHE_BITS: Final = 8
TILE_OUT: Final = 32  # output channels for which N-EUREKA reads its inputs anew


class Lowering:
    """Turns events into segments; remembers how many tasks were given to each queue."""

    def __init__(self, durations: Durations, core_work: CoreWork) -> None:
        """Nothing given yet."""
        self.durations = durations
        self.core_work = core_work
        self._given = [0] * QUEUES
        self._blocks: dict[Block, Block] = {}
        self._code: set[Code] = set()  # in the cache, of this op and of the one before
        self._code_before: set[Code] = set()

    def segment(
        self,
        call: OpCall,
        row: int,
        events: Iterable[Event],
        owner: Callable[[str], int | None],
    ) -> Segment:
        """The events of one op. `owner` tells the row whose weights lie in a region, if any."""
        self._code_before, self._code = self._code, set()
        op = _OpLowering(self, call, row, owner)
        listed = list(events)
        for event, following in zip(listed, [*listed[1:], None], strict=True):
            op.lower(event, following)
        op.repeats.put_back(op.instructions, op.activity)
        found = blocks(op.instructions, self._blocks)
        return Segment(row=row, blocks=found, activity=op.activity)

    def give(self, queue: int) -> None:
        """Count a task."""
        self._given[queue] += 1

    def back(self, queue: int, number: int) -> int:
        """How many tasks were given after that one."""
        return self._given[queue] - number

    def fetched(self, share: Share) -> int:
        """Cycles that code takes which neither this op nor the one before has run."""
        cycles = 0
        for code, cold in share.code.items():
            if code not in self._code and code not in self._code_before:
                cycles += cold
            self._code.add(code)
        return cycles

    def forget(self) -> None:
        """Other events follow: numbers start again, and no code is there."""
        self._given = [0] * QUEUES
        self._code.clear()


class _OpLowering:
    def __init__(
        self, parent: Lowering, call: OpCall, row: int, owner: Callable[[str], int | None]
    ) -> None:
        self.parent = parent
        self.call = call
        self.row = row
        self.owner = owner
        self.instructions: list[Instruction] = []
        self.activity: dict[int, Activity] = {}
        self.repeats = Repeats(call)
        self._phases: Iterator[tuple[int, Counted]] = iter(())
        self._pending: Counted | None = None  # work of core 0 before it gives its next transfer
        op = call.op
        if isinstance(op, ops.CachedAttention):
            self._phases = enumerate(attention_work(call, op))
            self._attend()
        self._copies = copy_work(call, op) if isinstance(op, ops.CacheAppend) else None

    def lower(self, event: Event, following: Event | None) -> None:
        match event:
            case Touch():
                self._touch(event)
            case Barrier():
                self.instructions.append((BARRIER, 0, (), 0))
            case TransferStart():
                self._transfer(event)
            case TransferWait(queue=queue, number=number):
                if not _makes_room(event, following):
                    self._wait(queue, number)
            case JobStart():
                self._job(event)
            case JobWait(number=number):
                if not _makes_room(event, following):
                    self._wait(JOBS, number)
            case _:
                return

    def _wait(self, queue: int, number: int) -> None:
        self.instructions.append((WAIT, int(queue), (), self.parent.back(queue, number)))

    def _touch(self, event: Touch) -> None:
        call, phase = self.call, event.phase
        key = (phase, event.tokens, event.rows, event.depth)
        if phase.startswith("attention"):
            self._attend()
        elif phase == CHOICE:
            self._work(key, choice_work(call))
        else:
            self._work_of(key, event)
        if self._copies is not None:
            self._pending, self._copies = self._copies, None
        self._multiply(event)
        self.repeats.touched(event, len(self.instructions), self.activity)

    def _multiply(self, event: Touch) -> None:
        phase, call = event.phase, self.call
        if phase in MULTIPLYING:
            bits = call.matrix.type.bits
            macs = event.tokens * event.rows * event.depth
            self._of(self.row).multiply(MULTIPLYING[phase], bits, macs)
        elif phase in ATTENDING:
            macs = event.tokens * event.rows * event.depth
            self._of(self.row).multiply(Unit.CLUSTER, CACHE_BITS, macs)

    def _attend(self) -> None:
        """The next phase of attention."""
        number, counted = next(self._phases)
        self._work((number, self.call.position), [counted])

    def _work_of(self, key: object, event: Touch) -> None:
        """Ask for the counted work only where it is not known."""
        whole = (self.call.signature, key)
        share = self.parent.core_work.known(whole)
        if share is None:
            share = self.parent.core_work.share(whole, counted_work(self.call, event))
        self._add(share)

    def _work(self, key: object, counted: list[Counted]) -> None:
        self._add(self.parent.core_work.share((self.call.signature, key), counted))

    def _add(self, share: Share) -> None:
        cycles = share.cycles + self.parent.fetched(share)
        self.instructions.append((WORK, cycles, (), self.row))
        activity = self._of(self.row)
        activity.instructions += share.instructions
        for totals, counts in (
            (activity.read_bytes, share.loads),
            (activity.written_bytes, share.stores),
        ):
            for memory, count in counts.items():
                totals[memory] = totals.get(memory, 0) + WORD_BYTES * count

    def _transfer(self, event: TransferStart) -> None:
        if self._pending is not None:
            self._work(("copies", self.call.tokens), [self._pending])
            self._pending = None
        stages = self.parent.durations.transfer(event)
        row = self.owner(event.source.region)
        row = self.row if row is None else row
        self.instructions.append((GIVE, int(event.queue), stages, row))
        self.parent.give(event.queue)
        activity, size = self._of(row), event.source.size_bytes
        activity.transfers += 1
        route = self.parent.durations.route(event.source.memory, event.target.memory)
        for source, target in pairwise(route):
            activity.copy_bytes(source, target, size)
        is_off_chip = event.queue != Queue.DMA
        for unit, cycles in stages:
            beside = is_off_chip and unit != Unit.LINK  # all chunks but one move beside the link
            moved = min(size, self.parent.durations.chunk_bytes) if beside else size
            activity.use(Unit(unit), cycles, moved)

    def _job(self, event: JobStart) -> None:
        stages = self.parent.durations.job(event)
        cycles = stages[0][1]
        self.instructions.append((GIVE, JOBS, stages, self.row))
        self.parent.give(JOBS)
        activity = self._of(self.row)
        activity.jobs += 1
        weights, inputs, outputs = event.weights, event.inputs, event.outputs
        activity.use(Unit.ENGINE, cycles, weights.size_bytes)
        reads, writes = activity.read_bytes, activity.written_bytes
        reads[weights.memory] = reads.get(weights.memory, 0) + weights.size_bytes
        read = inputs.size_bytes * -(-event.out_channels // TILE_OUT)
        reads[inputs.memory] = reads.get(inputs.memory, 0) + read
        writes[outputs.memory] = writes.get(outputs.memory, 0) + outputs.size_bytes

    def _of(self, row: int) -> Activity:
        return self.activity.setdefault(row, Activity())


def _makes_room(wait: TransferWait | JobWait, following: Event | None) -> bool:
    """Whether it stands for the full queue that giving waits for: the timeline does that itself."""
    match wait, following:
        case TransferWait(queue=queue, number=number), TransferStart(queue=other, number=given):
            return queue is other and given == number + TRANSFERS_MAX
        case JobWait(number=number), JobStart(number=given):
            return given == number + JOBS_MAX
        case _:
            return False
