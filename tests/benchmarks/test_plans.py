"""Figures about plans: how they are counted, and the page from figures that were made up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from goals import plan_verdicts
from machine_facts import MachineFacts
from measurements import Measurements, as_json, from_json
from plan_cost import LayerCount, PlanCost, Repeated, SourceLines, source_lines
from plans import Plans
from predictions import ENGINES, EnginePlan, PlacementQuality
from random_checkpoint import write_random_checkpoint
from report import report
from subjects import PLAN_SUBJECTS, ROOT, SCALED

from aretusa.frontend.outline import open_outline
from aretusa.tokenizer.read import read_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

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
SPENT = Repeated(wall_s=(1.5, 1.0, 4.0), cpu_s=(1.0, 0.5, 0.75), peak_bytes=100_000_000)
COST = PlanCost(
    subject=PLAN_SUBJECTS[0],
    parameters=492_384,
    layers=4,
    plan=SPENT,
    compiled=SPENT,
    source=SourceLines(lines=600, rows=50),
)
PLACED = PlacementQuality(
    name="a model",
    parameters=1000,
    prefill_tokens=64,
    decode_tokens=32,
    objective_cycles=200_000_000,
    bound_cycles=199_000_000,
    gap=0.005,
    status="feasible",
    first_fit_cycles=230_000_000,
    decode_cycles_per_token=1_234_567,
    decode_tokens_per_second=291.6,
)
PLANS = Plans(
    machine=MACHINE,
    minutes=1.5,
    costs=(COST,),
    layers=(
        LayerCount(layers=2, parameters=10, source=SourceLines(lines=570, rows=20)),
        LayerCount(layers=4, parameters=20, source=SourceLines(lines=590, rows=40)),
    ),
    placements=(PLACED,),
    engines=tuple(
        EnginePlan(
            engine=engine,
            bits=4,
            objective_cycles=900 - number,
            decode_cycles=800 - 100 * number,
            linear_cycles=80 - 10 * number,
            prefill_cycles=8000,
        )
        for number, engine in enumerate(ENGINES)
    ),
)
ALL = Measurements(machine=MACHINE, minutes=1.0, models=(), kernels=(), plans=PLANS)


def test_the_page_shows_plans_with_their_commands() -> None:
    page = " ".join(report(ALL).split())
    assert "load before over 1 / 5 / 15 minutes: 3.5 / 0.2 / 0.0 processes for 2 cores" in page
    assert "| plan: seconds | 1.00 / 1.50 / 4.00 |" in page
    assert "| llama-0.5m, 4 layers | 4 | 20 | 590 | 40 | 550 |" in page
    assert "| a model | 200.00 | 199.00 | 0.500 % | 230.00 | 1.150 | 1,234,567 | 292 |" in page
    assert "| 4 | 800 | 700 | 600 | 500 | 400 (0.500) |" in page
    assert page.count("`aretusa plan ") >= 3


def test_all_goals_are_judged() -> None:
    found = list(plan_verdicts(PLANS))
    assert all(verdict.is_met for verdict in found)
    assert [verdict.found for verdict in found] == [
        "1.0 s (processor 0.8 s)",
        "1.0 s (processor 0.8 s)",
        "95 MiB",
        "0.500 %",
        "0.9989 at 4 bits",
        "550 lines",
    ]


def test_waiting_for_a_core_is_the_reason_only_where_it_is() -> None:
    waited = replace(SPENT, wall_s=(7.0,))
    worked = replace(waited, cpu_s=(6.0,))
    reasons = [
        next(plan_verdicts(replace(PLANS, costs=(replace(COST, plan=spent),)))).reason
        for spent in (SPENT, waited, worked)
    ]
    assert reasons == ["", "It computed for 0.8 s; the rest is waiting: see the load.", ""]


def test_a_choice_worse_than_a_single_engine_misses_its_goal() -> None:
    chosen = replace(PLANS.engines[-1], objective_cycles=1000)
    found = plan_verdicts(replace(PLANS, engines=(*PLANS.engines[:-1], chosen)))
    assert [verdict.found for verdict in found if not verdict.is_met] == ["1.1148 at 4 bits"]


def test_code_that_grows_with_layers_misses_its_goal() -> None:
    grown = LayerCount(layers=8, parameters=40, source=SourceLines(lines=700, rows=80))
    *_, verdict = plan_verdicts(replace(PLANS, layers=(*PLANS.layers, grown)))
    assert not verdict.is_met
    assert verdict.found == "550 lines / 620 lines"


def test_rows_of_tables_are_counted_apart(tmp_path: Path) -> None:
    path = tmp_path / "network.c"
    path.write_text("static const struct a b[] = {\n    {1, {2, 3}},\n    {.x = 4},\n};\n\n")
    assert source_lines(path) == SourceLines(lines=5, rows=2)


def test_measurements_are_read_back() -> None:
    assert from_json(as_json(ALL)) == ALL
    with pytest.raises(ValueError, match="minutes"):
        from_json("{}")


def test_a_random_checkpoint_has_the_shapes_and_a_whole_vocabulary(tmp_path: Path) -> None:
    config = ROOT / SCALED
    outline = open_outline(write_random_checkpoint(config, tmp_path, layers=1))
    assert outline.config == replace(open_outline(config).config, layers=1)
    assert outline.tokenizer is not None
    tokenizer = read_tokenizer(outline.tokenizer, eos_ids=outline.eos_token_ids)
    assert tokenizer.vocab_size == outline.config.vocab_size
