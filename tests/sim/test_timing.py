"""Laws that hold for every program: over a plan for each way in which one can be put together."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest
from listings import PLANS, listing_named
from tiny_models import lowered_graph, plan_of, resized, runnable_config

from aretusa.ir import ops
from aretusa.neureka.linear import Engine
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target
from aretusa.trace.event import JobStart, TransferStart
from aretusa.trace.listing import listing
from aretusa.trace.steps import Forward, program_events
from aretusa_sim.core_work import CoreWork
from aretusa_sim.durations import Durations
from aretusa_sim.layers import runs
from aretusa_sim.lowering import Lowering
from aretusa_sim.steps import StepCoder
from aretusa_sim.timing import Simulator
from aretusa_sim.units import Unit

if TYPE_CHECKING:
    from aretusa.target.description import Target
    from aretusa.trace.listing import Listing
    from aretusa_sim.timing import StepTiming

LISTINGS: Final = sorted(PLANS)
KIB: Final = 1024
LINKED: Final = ("paged 3x3", "paged 1x1", "paged split", "streamed")


def _steps(listed: Listing) -> list[tuple[int, int, bool]]:
    """Two steps of prefill, then two of decode."""
    chunk = listed.graph.chunk_max
    prompt = chunk + max(1, chunk // 2)
    first = [(chunk, 0, False), (prompt - chunk, chunk, True)]
    return [*first, (1, prompt, True), (1, prompt + 1, True)]


def _run(
    listed: Listing, *, has_intervals: bool = False, remembers: bool = True
) -> list[StepTiming]:
    simulator = Simulator(listed, has_intervals=has_intervals)
    simulator.player.remembers &= remembers
    return [
        simulator.step(tokens, position, has_head=has_head)
        for tokens, position, has_head in _steps(listed)
    ]


@pytest.mark.parametrize("name", LISTINGS)
def test_a_unit_does_one_thing_at_a_time_and_is_busy_no_longer_than_it_takes(name: str) -> None:
    for step in _run(listing_named(name), has_intervals=True):
        for unit in Unit:
            spans = sorted((start, end) for one, start, end, _ in step.intervals if one == unit)
            assert all(end <= start for (_, end), (start, _) in pairwise(spans)), unit
            assert all(step.start <= start < end <= step.end for start, end in spans), unit
            if unit is not Unit.CLUSTER:
                assert sum(end - start for start, end in spans) == step.busy[unit] <= step.cycles


@pytest.mark.parametrize("name", LISTINGS)
def test_every_cycle_of_the_cluster_is_accounted_for(name: str) -> None:
    for step in _run(listing_named(name), has_intervals=True):
        spans = sorted(
            (start, end) for unit, start, end, _ in step.intervals if unit == Unit.CLUSTER
        )
        assert [spans[0][0], *(end for _, end in spans)] == [
            *(start for start, _ in spans),
            step.end,
        ]
        assert sum(row.cycles for row in step.rows) == step.cycles
        for row in step.rows:
            parts = (row.working, row.giving, row.at_barriers, *row.stalls)
            assert sum(parts) == row.cycles


@pytest.mark.parametrize("name", LISTINGS)
def test_rows_own_all_that_units_do(name: str) -> None:
    for step in _run(listing_named(name)):
        for unit in (Unit.ENGINE, Unit.DMA_IN, Unit.DMA_OUT, Unit.LINK):
            owned = sum(row.activity.busy_cycles.get(unit, 0) for row in step.rows)
            assert owned == step.busy[unit]


@pytest.mark.parametrize("name", LISTINGS)
def test_playing_from_memory_and_keeping_intervals_change_nothing(name: str) -> None:
    listed = listing_named(name)
    steps = _run(listed)
    assert steps == _run(listed, remembers=False)
    kept = [replace(one, starts=(), intervals=()) for one in _run(listed, has_intervals=True)]
    assert steps == kept


def _faster(target: Target) -> list[Target]:
    dma, link, clock = target.dma, target.off_chip, target.clock
    core, cluster = target.core, target.cluster
    return [
        replace(target, dma=replace(dma, bytes_per_cycle=2 * dma.bytes_per_cycle)),
        replace(target, dma=replace(dma, setup_cycles=dma.setup_cycles // 2)),
        replace(target, off_chip=replace(link, bytes_per_cycle=2 * link.bytes_per_cycle)),
        replace(target, off_chip=replace(link, setup_cycles=link.setup_cycles // 2)),
        replace(target, clock=replace(clock, peripheral_hz=2 * clock.peripheral_hz)),
        replace(target, core=replace(core, taken_branch_cycles=core.taken_branch_cycles - 1)),
        replace(target, cluster=replace(cluster, barrier_cycles=cluster.barrier_cycles // 2)),
    ]


@pytest.mark.parametrize("name", [*LINKED, "chosen", "cluster", "groups"])
def test_nothing_faster_makes_a_step_slower(name: str) -> None:
    listed = listing_named(name)
    usual = [step.cycles for step in _run(listed)]
    for target in _faster(listed.target):
        cycles = [step.cycles for step in _run(replace(listed, target=target))]
        assert all(new <= old for new, old in zip(cycles, usual, strict=True)), target


@pytest.mark.parametrize("name", [*LINKED, "chosen"])
def test_a_faster_clock_of_the_cluster_never_takes_more_time(name: str) -> None:
    listed = listing_named(name)
    target = listed.target
    hertz = target.clock.cluster_hz
    fast = replace(target, clock=replace(target.clock, cluster_hz=2 * hertz))
    usual, faster = _run(listed), _run(replace(listed, target=fast))
    for slow, quick in zip(usual, faster, strict=True):
        assert slow.cycles <= quick.cycles <= 2 * slow.cycles


@pytest.mark.parametrize("name", LISTINGS)
def test_what_is_moved_and_given_is_that_of_the_events(name: str) -> None:
    listed = listing_named(name)
    steps = _steps(listed)
    forwards = [
        Forward(tokens, position, (tokens - 1,) if has_head else ())
        for tokens, position, has_head in steps
    ]
    events = list(program_events(listed, forwards))
    moved = [event for event in events if isinstance(event, TransferStart)]
    jobs = [event for event in events if isinstance(event, JobStart)]
    rows = [row.activity for step in _run(listed) for row in step.rows]
    assert sum(row.transfers for row in rows) == len(moved)
    assert sum(row.jobs for row in rows) == len(jobs)
    port = sum(event.weights.size_bytes for event in jobs)
    assert sum(row.moved_bytes.get(Unit.ENGINE, 0) for row in rows) == port
    durations = Durations(listed.target)
    for unit in (Unit.DMA_IN, Unit.DMA_OUT, Unit.LINK):
        size = 0
        for event in moved:
            passed = {one for one, _ in durations.transfer(event)}
            is_beside = Unit.LINK in passed and unit is not Unit.LINK
            most = durations.chunk_bytes if is_beside else event.source.total_bytes
            size += min(event.source.total_bytes, most) if unit in passed else 0
        assert sum(row.moved_bytes.get(unit, 0) for row in rows) == size


@pytest.mark.parametrize("name", [name for name in LINKED if name.startswith("paged")])
def test_what_comes_from_off_chip_is_written_to_all_memories_on_its_way(name: str) -> None:
    listed = listing_named(name)
    simulator = Simulator(listed)
    rows = [row.activity for row in simulator.step(1, 5, has_head=True).rows]
    events = program_events(listed, [Forward(1, 5, (0,))])
    loads = [
        event
        for event in events
        if isinstance(event, TransferStart) and event.source.memory is MemoryId.L3
    ]
    size = sum(event.source.size_bytes for event in loads)
    pages = sum(e.source.size_bytes for e in loads if e.target.memory is MemoryId.SRAM)

    def total(memory: MemoryId) -> int:
        return sum(row.written_bytes.get(memory, 0) for row in rows)

    assert size > 0
    assert sum(row.read_bytes.get(MemoryId.L3, 0) for row in rows) == size
    assert total(MemoryId.L2) >= size
    assert total(MemoryId.L1) >= size
    assert total(MemoryId.SRAM) == pages


@pytest.mark.parametrize("name", LISTINGS)
def test_multiplications_are_those_of_the_model(name: str) -> None:
    listed = listing_named(name)
    simulator = Simulator(listed)
    step = simulator.step(1, 5, has_head=True)
    linear = sum(
        op.out.type.depth * op.src.type.depth
        for op in listed.graph.ops
        if isinstance(op, ops.Linear)
    )
    counts = [row.activity.macs for row in step.rows]
    cached = sum(
        2 * op.query.type.dims(1)[1] * op.query.type.depth * 6
        for op in listed.graph.ops
        if isinstance(op, ops.CachedAttention)
    )
    assert sum(sum(macs.values()) for macs in counts) == linear + cached


@pytest.mark.parametrize("name", LISTINGS)
def test_code_for_another_position_is_that_of_its_own_trace(name: str) -> None:
    listed = listing_named(name)
    used = _coder(listed)
    used.step(1, 3, has_head=True)
    for position in (11, listed.graph.context - 1):
        assert used.step(1, position, has_head=True) == _coder(listed).step(
            1, position, has_head=True
        )


def test_equal_layers_are_traced_once_and_played_as_often_as_there_are() -> None:
    graph = lowered_graph(runnable_config(layers=9), scheme="w8", chunk=4)
    listed = listing(plan_of(graph, load_target()))
    coder = _coder(listed)
    assert [run.count for run in runs(listed, coder.homes)] == [9]
    assert [len(run.kept) for run in runs(listed, coder.homes)] == [4]
    whole = _coder(listed)
    codes = whole._trace_kept(list(range(9)), 1, 7)
    assert [code for _, code in coder.step(1, 7, has_head=False)] == [
        codes[layer] for layer in range(-1, 9)
    ]


@pytest.mark.parametrize("engine", [Engine.CLUSTER, Engine.NEUREKA_3X3, Engine.SPLIT])
def test_loops_over_equal_tiles_are_what_their_ends_tell(engine: Engine) -> None:
    """A head of 12288 rows passes through rings that hold a few of them."""
    graph = lowered_graph(runnable_config(vocab_size=12288), scheme="w4", chunk=4)
    target = resized(load_target(), mram=64 * KIB, sram=320 * KIB, l2=384 * KIB, l1=104 * KIB)
    listed = listing(plan_of(graph, target, engine=engine))
    told, whole = _coder(listed), _coder(listed, is_short=False)
    for tokens, position in ((4, 0), (1, 9)):
        codes = [coder.step(tokens, position, has_head=True) for coder in (told, whole)]
        assert codes[0] == codes[1]
    rows = list(program_events(listed, [Forward(1, 9, (0,))]))
    assert len(list(program_events(listed, [Forward(1, 9, (0,))], is_short=True))) < len(rows)


def _coder(listed: Listing, *, is_short: bool = True) -> StepCoder:
    lowering = Lowering(Durations(listed.target), CoreWork(listed.target))
    return StepCoder(listed, lowering, is_short=is_short)


def test_cores_that_want_one_bank_take_longer() -> None:
    listed = listing_named("chosen")
    usual = Simulator(listed).step(1, 5, has_head=True).cycles
    alone = Simulator(listed, has_contention=False).step(1, 5, has_head=True).cycles
    assert alone < usual < 1.2 * alone
