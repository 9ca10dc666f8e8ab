"""Lowering: the events of one op -> a segment of code."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aretusa.cost.code_cache import CodeCache
from aretusa.cost.control import linear_codes, linear_control, touch_cycles
from aretusa.ir import ops
from aretusa.trace.event import (
    JOBS_MAX,
    TRANSFERS_MAX,
    Barrier,
    JobStart,
    JobWait,
    OpStart,
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

    from aretusa.cost.code_cache import Cached
    from aretusa.target.description import LinearControl
    from aretusa.trace.event import Event
    from aretusa_sim.code import Block, Instruction
    from aretusa_sim.core_work import CoreWork, Share
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
FINISHING: Final = {"linear finish", "linear group", "linear last group"}
ATTENDING: Final = {"attention keys": "key_cache", "attention values": "value_cache"}
TILE_OUT: Final = 32  # output channels for which N-EUREKA reads its inputs anew


class Lowering:
    """Turns events into segments; remembers how many tasks were given to each queue."""

    def __init__(self, durations: Durations, core_work: CoreWork) -> None:
        """Nothing given yet."""
        self.durations = durations
        self.core_work = core_work
        self._given = [0] * QUEUES
        self._blocks: dict[Block, Block] = {}
        self.code_cache = CodeCache(core_work.target.core)

    def segment(
        self,
        call: OpCall,
        row: int,
        events: Iterable[Event],
        owner: Callable[[str], int | None],
    ) -> Segment:
        """The events of one op. `owner` tells the row whose weights lie in a region, if any."""
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

    def forget(self, cached: Cached = ()) -> None:
        """Other events follow: numbers start again, and that code is there."""
        self._given = [0] * QUEUES
        self.code_cache.replace(cached)


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
        self._linear = _linear_control(call)
        self._parted = 0  # where core 0 began to do what the others do not
        op = call.op
        if isinstance(op, ops.CachedAttention):
            self._phases = enumerate(attention_work(call, op))
            self._attend()
        self._copies = copy_work(call, op) if isinstance(op, ops.CacheAppend) else None

    def lower(self, event: Event, following: Event | None) -> None:
        match event:
            case OpStart():
                self._start()
            case Touch():
                self._touch(event)
            case Barrier():
                self._parted = len(self.instructions)
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
                    self._find_unit()
                    self._wait(JOBS, number)
            case _:
                return

    def _start(self) -> None:
        """A kernel is called."""
        target = self.parent.core_work.target
        self._control(target.control.call_cycles)
        if self._linear is not None:
            fetched = self.parent.code_cache.run(linear_codes(target, self._linear))
            self._control(self._linear.layer_cycles + fetched)

    def _control(self, cycles: int) -> None:
        """What is run around kernels."""
        if cycles:
            self.instructions.append((WORK, cycles, (), self.row))

    def _find_unit(self) -> None:
        """The cores find the unit behind this one, beside its job, before they part or meet."""
        if self._linear is not None and self._linear.unit_cycles:
            work = (WORK, self._linear.unit_cycles, (), self.row)
            self.instructions.insert(self._parted, work)

    def _wait(self, queue: int, number: int) -> None:
        self.instructions.append((WAIT, int(queue), (), self.parent.back(queue, number)))

    def _touch(self, event: Touch) -> None:
        call, phase = self.call, event.phase
        key = (phase, event.tokens, event.rows, event.depth)
        self._control(touch_cycles(self.parent.core_work.target.control, phase))
        if phase in FINISHING and self._linear is not None:
            self._control(self._linear.finish_cycles)
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
            bits = call.cache(getattr(call.op, ATTENDING[phase])).bits
            self._of(self.row).multiply(Unit.CLUSTER, bits, macs)

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
        cycles = share.cycles + self.parent.code_cache.run(share.codes)
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
        activity, size = self._of(row), event.source.total_bytes
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
        if self._linear is not None:
            self._control(self._linear.job_cycles)
        self.instructions.append((GIVE, JOBS, stages, self.row))
        self.parent.give(JOBS)
        activity = self._of(self.row)
        if activity.jobs == 0:
            self._parted = len(self.instructions)  # the first unit is given before others are found
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


def _linear_control(call: OpCall) -> LinearControl | None:
    """Of the code around a layer's jobs; None where it has none."""
    if not isinstance(call.op, ops.Linear) or call.matrix.engine is None:
        return None
    engine = call.matrix.engine
    return linear_control(
        call.listing.target,
        tokens=call.tokens,
        group=engine.group,
        is_unsigned=engine.is_unsigned,
        home=call.homes[call.matrix.engine_region],
    )


def _makes_room(wait: TransferWait | JobWait, following: Event | None) -> bool:
    """Whether it stands for the full queue that giving waits for: the timeline does that itself."""
    match wait, following:
        case TransferWait(queue=queue, number=number), TransferStart(queue=other, number=given):
            return queue is other and given == number + TRANSFERS_MAX
        case JobWait(number=number), JobStart(number=given):
            return given == number + JOBS_MAX
        case _:
            return False
