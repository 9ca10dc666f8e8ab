"""How fast the simulator is: processor time, and tasks counted exactly."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from machine_facts import MachineFacts, machine_facts
from subjects import ROOT, TINY_ORATOR

from aretusa.options import CompileOptions
from aretusa.shapes import open_shapes
from aretusa.trace.listing import listing
from aretusa.verbs.plan import PlanRequest, plan_shapes
from aretusa_sim.estimation import estimate
from aretusa_sim.player import Player
from aretusa_sim.timing import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BITS: Final = 4
TARGET: Final = "siracusa-1gib"
CACHED: Final = 64  # positions before the first token
TOKENS: Final = 16
SMOLLM2_NAME: Final = "smollm2-135m"
TIMED: Final = {
    "tiny-orator": TINY_ORATOR.path,
    SMOLLM2_NAME: ROOT / "examples/configs/smollm2-135m.json",
}
ESTIMATED: Final = ROOT / "examples/configs/llama-3.2-1b.json"
TASKS_GOAL: Final = 300_000  # a second
TOKEN_GOAL_S: Final = 1.0
ESTIMATE_GOAL_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeSpeed:
    """Processor time of decoded tokens in timing mode.

    `tasks` are what the cluster, N-EUREKA and the links do in all of the tokens: kernels, jobs,
    transfers. Loops that have become steady are played from memory; with `one_by_one_s` nothing is.
    """

    name: str
    tasks: int
    token_s: tuple[float, ...]  # after the first, which traces the program
    first_token_s: float
    one_by_one_s: float  # of as many tokens

    @property
    def tasks_per_second(self) -> float:
        """As users have it."""
        return self.tasks / sum(self.token_s)

    @property
    def one_by_one_per_second(self) -> float:
        """Of the event engine alone."""
        return self.tasks / self.one_by_one_s


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSpeed:
    """What the section shows."""

    machine: MachineFacts
    decodes: tuple[DecodeSpeed, ...]
    estimate_name: str
    estimate_cpu_s: float
    estimate_plan_cpu_s: float  # of these, the plan's


def measure_simulation(say: Callable[[str], None]) -> SimulationSpeed:
    """Decode of the models, and the estimate of a large one."""
    machine = machine_facts()  # first, for the load that others make
    decodes = []
    for name, model in TIMED.items():
        say(f"{name}: simulating")
        decodes.append(_decode(name, model))
    say(f"{ESTIMATED.stem}: estimating")
    options = CompileOptions(bits=BITS, target=TARGET)
    start = time.process_time()
    plan_shapes(open_shapes(ESTIMATED), PlanRequest(options=options))
    planned = time.process_time()
    estimate(ESTIMATED, options=options)
    return SimulationSpeed(
        machine=machine,
        decodes=tuple(decodes),
        estimate_name=ESTIMATED.stem,
        estimate_cpu_s=time.process_time() - planned,
        estimate_plan_cpu_s=planned - start,
    )


def _decode(name: str, model: Path) -> DecodeSpeed:
    options = CompileOptions(bits=BITS, target=TARGET)
    plan = plan_shapes(open_shapes(model), PlanRequest(options=options))
    simulator = Simulator(listing(plan))
    first = _timed(simulator, CACHED)
    before = simulator.timeline.tasks
    positions = range(CACHED + 1, CACHED + 1 + TOKENS)
    spent = tuple(_timed(simulator, position) for position in positions)
    tasks = simulator.timeline.tasks - before
    simulator.player = Player(simulator.timeline, remembers=False)
    again = sum(_timed(simulator, position) for position in positions)
    return DecodeSpeed(
        name=name, tasks=tasks, token_s=spent, first_token_s=first, one_by_one_s=again
    )


def _timed(simulator: Simulator, position: int) -> float:
    start = time.process_time()
    simulator.step(1, position, has_head=True)
    return time.process_time() - start
