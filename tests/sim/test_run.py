from __future__ import annotations

import json
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from tiny_models import CHUNK, CONTEXT, write_model

import aretusa_sim as sim
from aretusa.driver import compile_model
from aretusa.errors import UsageError
from aretusa.options import CompileOptions
from aretusa.program import Program
from aretusa.reference.interpreter import Interpreter
from aretusa.verbs.executions import Task, greedy
from aretusa_sim.perfetto import chrome_trace, write_trace
from aretusa_sim.results import SimulationResult

if TYPE_CHECKING:
    from aretusa_sim.generation import Simulation

PROMPT: Final = tuple(range(3, 16))
NEW: Final = 6


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("simulated")
    options = CompileOptions(context=CONTEXT, chunk=CHUNK)
    compile_model(write_model(directory / "model"), directory / "build", options)
    return directory / "build"


@pytest.fixture(scope="module")
def simulation(build: Path) -> Simulation:
    return sim.run(build, PROMPT, NEW, ignores_stop=True, has_intervals=True)


def test_tokens_and_logits_are_those_of_the_reference(build: Path, simulation: Simulation) -> None:
    program = Program.open(build)
    machine = Interpreter(program.graph, program.weights)
    expected = greedy(machine, Task(prompt=PROMPT, new_tokens=NEW), chunk=1)
    assert simulation.result.new_tokens == list(expected.tokens)
    chosen = expected.logits[len(PROMPT) - 1 :]
    assert simulation.logits.dtype == np.float32
    assert np.array_equal(simulation.logits.view(np.uint32), chosen.view(np.uint32))


def test_steps_are_the_prompt_in_chunks_then_a_step_for_each_token(simulation: Simulation) -> None:
    steps = [(step.phase, step.tokens, step.position) for step in simulation.result.steps]
    prefill = [("prefill", CHUNK, 0), ("prefill", len(PROMPT) - CHUNK, CHUNK)]
    assert steps == prefill + [("decode", 1, len(PROMPT) + index) for index in range(NEW - 1)]


def test_cycles_of_a_run_are_those_of_its_parts(simulation: Simulation) -> None:
    result = simulation.result
    assert result.cycles == sum(step.cycles for step in result.steps)
    for phase in result.phases:
        own = [step.cycles for step in result.steps if step.phase == phase.phase]
        assert phase.cycles == sum(own) == sum(op.cycles for op in phase.ops)
        for op in phase.ops:
            stalls = sum(op.stalls.model_dump().values())
            parts = op.working_cycles + op.giving_cycles + op.barrier_cycles + stalls
            assert parts == op.cycles
        for unit in phase.units:
            assert unit.busy_cycles + unit.idle_cycles == phase.cycles
    assert result.seconds == pytest.approx(result.cycles / result.clock_hz)


def test_a_token_costs_more_the_more_are_cached(simulation: Simulation) -> None:
    decode = [step.cycles for step in simulation.result.steps if step.phase == "decode"]
    assert decode[-1] > decode[0]


def test_the_document_is_read_back(simulation: Simulation) -> None:
    text = simulation.result.model_dump_json()
    assert SimulationResult.model_validate_json(text) == simulation.result


def test_the_same_run_gives_the_same_document(build: Path, simulation: Simulation) -> None:
    again = sim.run(build, PROMPT, NEW, ignores_stop=True)
    assert again.result == simulation.result


def test_progress_counts_tokens_to_the_end(build: Path) -> None:
    told: list[tuple[int, int]] = []
    sim.run(build, PROMPT, 3, ignores_stop=True, progress=lambda *both: told.append(both))
    assert [done for done, _ in told] == [8, 13, 14, 15]
    assert {total for _, total in told} == {15}


def test_a_full_context_ends_a_run(build: Path) -> None:
    prompt = tuple(3 + index % 9 for index in range(CONTEXT - 1))
    found = sim.run(build, prompt, 10, ignores_stop=True)
    assert len(found.result.new_tokens) == 2


def test_a_stop_token_ends_a_run(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aretusa_sim.generation._stops", lambda *_: frozenset(range(10_000)))
    assert len(sim.run(build, PROMPT, 10).result.new_tokens) == 1


def test_a_clock_changes_seconds_and_not_what_the_cluster_counts(build: Path) -> None:
    usual = sim.run(build, PROMPT, 1, ignores_stop=True).result
    slow = sim.run(build, PROMPT, 1, ignores_stop=True, clock_hz=100_000_000).result
    assert slow.clock_hz == 100_000_000
    assert slow.cycles == usual.cycles  # nothing of this build lies off chip
    assert slow.seconds > usual.seconds


@pytest.mark.parametrize(
    ("prompt", "code"), [((), "E0007"), ((10_000,), "E0007"), ((3,) * (CONTEXT + 1), "E0006")]
)
def test_a_prompt_that_the_program_refuses_is_refused(
    build: Path, prompt: tuple[int, ...], code: str
) -> None:
    with pytest.raises(UsageError) as refused:
        sim.run(build, prompt)
    assert refused.value.code == code


def test_spans_of_the_trace_add_up_to_the_table(simulation: Simulation) -> None:
    trace = chrome_trace(simulation.listing, simulation.timings)
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    names = {
        event["tid"]: event["args"]["name"]
        for event in trace["traceEvents"]
        if event["name"] == "thread_name"
    }
    sums: Counter[str] = Counter()
    for span in spans:
        sums[names[span["tid"]]] += span["args"]["cycles"]
    result = simulation.result
    assert sums.pop("steps") == sums.pop("cluster") == result.cycles
    for unit in ("n-eureka", "dma-in", "dma-out", "off-chip"):
        busy = sum(
            one.busy_cycles for phase in result.phases for one in phase.units if one.unit == unit
        )
        assert sums[unit] == busy


def test_power_over_time_in_the_trace_is_the_energy_of_the_table(simulation: Simulation) -> None:
    events = chrome_trace(simulation.listing, simulation.timings)["traceEvents"]
    powers = [(event["ts"], event["args"]["value"]) for event in events if event["name"] == "mW"]
    spent = sum(mw * (end - start) / 1e3 for (start, mw), (end, _) in pairwise(powers))
    assert spent == pytest.approx(simulation.result.energy.nominal_uj)


def test_counters_of_the_trace_show_memories_and_bandwidths(
    simulation: Simulation, tmp_path: Path
) -> None:
    write_trace(tmp_path / "trace.json", simulation.listing, simulation.timings)
    events = json.loads((tmp_path / "trace.json").read_text("utf-8"))["traceEvents"]
    values: dict[str, list[float]] = {}
    for event in events:
        if event["ph"] == "C":
            values.setdefault(event["name"], []).append(event["args"]["value"])
    alive = {memory.memory: memory for memory in simulation.result.occupancy}
    assert max(values["l1 bytes"]) == max(alive["l1"].alive_bytes) <= alive["l1"].capacity_bytes
    target = simulation.listing.target
    most = target.dma.bytes_per_cycle * target.clock.cluster_hz / 1e6
    assert 0 < max(values["dma-in MB/s"]) <= most
    assert len(values["mW"]) > 2 * len(simulation.timings)
    assert all(event["dur"] > 0 for event in events if event["ph"] == "X")


def test_a_build_of_an_earlier_version_is_to_be_made_again(build: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(build, tmp_path / "old"))
    target = old / "target.toml"
    text = target.read_text("utf-8")
    target.write_text(text.partition("[energy.")[0], "utf-8")
    with pytest.raises(UsageError, match="Make it again with `aretusa compile") as caught:
        sim.run(old, PROMPT, NEW)
    assert caught.value.code == "E0005"
    assert "target.toml: missing key energy" in str(caught.value)
