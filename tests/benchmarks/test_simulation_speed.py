"""The section about the simulator's speed, from figures that were made up; tasks from a model."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from goals import simulation_verdicts
from machine_facts import MachineFacts
from report_simulation import simulation_section
from simulation_speed import SMOLLM2_NAME, DecodeSpeed, SimulationSpeed
from tiny_models import lowered_graph, plan_of

from aretusa.trace.event import JobStart, Touch, TransferStart
from aretusa.trace.listing import listing
from aretusa.trace.steps import Forward, program_events
from aretusa_sim.player import Player
from aretusa_sim.timing import Simulator

MACHINE = MachineFacts(
    commit="abc",
    product="aretusa 1",
    processor="a processor",
    cores=2,
    memory_gib=8.0,
    load=(3.5, 0.25, 0.0),
    python="3.11",
    numpy="2",
    tools={},
)
DECODE = DecodeSpeed(
    name=SMOLLM2_NAME, tasks=800_000, token_s=(1.0, 0.5, 0.5), first_token_s=0.9, one_by_one_s=4.0
)
FOUND = SimulationSpeed(
    machine=MACHINE,
    decodes=(DECODE,),
    estimate_name="large",
    estimate_cpu_s=9.0,
    estimate_plan_cpu_s=7.0,
)


def test_tasks_a_second_are_those_of_all_tokens() -> None:
    assert DECODE.tasks_per_second == 400_000
    assert DECODE.one_by_one_per_second == 200_000


def test_verdicts_follow_the_goals() -> None:
    met = [verdict.is_met for verdict in simulation_verdicts(FOUND)]
    assert met == [True, False, True]  # a token that takes exactly a second is too slow
    slow = replace(DECODE, tasks=500_000, first_token_s=0.1, token_s=(0.9, 0.9, 0.9))
    worse = replace(FOUND, decodes=(slow,), estimate_cpu_s=10.0)
    assert [verdict.is_met for verdict in simulation_verdicts(worse)] == [False, True, False]


def test_the_section_shows_the_figures() -> None:
    text = "\n".join(simulation_section(FOUND))
    assert "| tasks a second | 400,000 |" in text
    assert "| ms per token | 500.0 / 500.0 / 1000.0 |" in text
    assert "`sim.estimate(large)`: 9.0 s, of which the plan 7.0 s." in text


def test_tasks_are_the_same_whether_they_are_played_from_memory_or_not() -> None:
    listed = listing(plan_of(lowered_graph()))

    def tasks(*, remembers: bool) -> list[int]:
        simulator = Simulator(listed)
        simulator.player = Player(simulator.timeline, remembers=remembers)
        counts = [simulator.timeline.tasks]
        for position in range(3, 6):
            simulator.step(1, position, has_head=True)
            counts.append(simulator.timeline.tasks)
        return [after - before for before, after in pairwise(counts)]

    assert tasks(remembers=True) == tasks(remembers=False)
    events = list(program_events(listed, [Forward(1, 3, (0,))]))
    given = sum(isinstance(event, JobStart | TransferStart) for event in events)
    touches = sum(isinstance(event, Touch) for event in events)
    # Before some touches core 0 works alone: on a call, on what it copies, on the engine's sums.
    assert given + touches <= tasks(remembers=True)[0] <= given + 3 * touches
