"""Advice is what another plan and another simulation say, not a guess."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest
from rich.console import Console
from tiny_models import CONTEXT, runnable_config, write_model

import aretusa_sim as sim
from aretusa.driver import compile_model
from aretusa.ir import ops
from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa.plan.goal import Goal
from aretusa.plan.make import make_plan
from aretusa.target.load import load_target
from aretusa.target.save import target_text
from aretusa.trace.listing import listing
from aretusa_sim.advice_changes import attempts
from aretusa_sim.advice_cost import cost_of, request_cycles
from aretusa_sim.advice_graphs import fresh_graph
from aretusa_sim.terminal_advice import print_advice

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_sim.advice_results import AdviceResult, Change
    from aretusa_sim.estimation import Estimate

GOAL: Final = Goal(prefill_tokens=16, decode_tokens=5)
# Free bytes: so little weight memory that most weights lie in L3.
KIB: Final = 1024
TIGHT: Final = {"l1": 64 * KIB, "l2": 256 * KIB, "sram": 320 * KIB, "mram": 64 * KIB}


def _tight(path: Path, factor: int = 1) -> str:
    """A target file of that chip, with a faster off-chip link."""
    target = load_target()
    values = {
        f"memory.{memory.id.key}.size_bytes": TIGHT[memory.id.key] + memory.reserved_bytes
        for memory in target.memories
        if memory.id.key in TIGHT
    }
    values["clock.peripheral_hz"] = factor * target.clock.peripheral_hz
    facts = [replace(fact, value=values.get(fact.key, fact.value)) for fact in target.facts]
    path.write_text(target_text(replace(target, facts=tuple(facts))), "utf-8")
    return str(path)


def _estimate(folder: Path, target: str, *, model: str = "model", **changed: Any) -> Estimate:  # noqa: ANN401
    usual = {"bits": 8, "context": 64, "chunk": 8, "target": target}
    options = CompileOptions(**(usual | changed))
    return sim.estimate(
        folder / model,
        options=options,
        prefill_tokens=GOAL.prefill_tokens,
        decode_tokens=GOAL.decode_tokens,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and the target files that go with it."""
    found = tmp_path_factory.mktemp("advice")
    write_model(found / "model", runnable_config(ffn_size=1024))
    return found


@pytest.fixture(scope="module")
def far(folder: Path) -> Estimate:
    return _estimate(folder, _tight(folder / "tight.toml"))


@pytest.fixture(scope="module")
def advice(far: Estimate) -> AdviceResult:
    return sim.advise(far)


def _named(advice: AdviceResult, what: str) -> Change:
    return next(change for change in advice.changes if change.what == what)


def test_says_what_bounds_a_token_and_what_takes_most_of_it(
    far: Estimate, advice: AdviceResult
) -> None:
    decode = far.result.phase("decode")
    waits = sum(op.stalls.off_chip_cycles for op in decode.ops)
    assert advice.bound == "off-chip"
    assert advice.bound_share == pytest.approx(waits / decode.cycles)
    assert "off-chip link" in advice.reason
    assert [one.share for one in advice.first] == sorted(
        (one.share for one in advice.first), reverse=True
    )
    most = advice.first[0]
    own = [op.cycles for op in decode.ops if (op.name, op.engine) == (most.name, most.engine)]
    assert (most.count, most.cycles) == (len(own), sum(own) // decode.tokens)


def test_costs_before_are_those_of_the_run(far: Estimate, advice: AdviceResult) -> None:
    prefill, decode = far.result.phase("prefill"), far.result.phase("decode")
    assert advice.before.prefill_cycles == prefill.cycles
    assert advice.before.prefill_energy.nominal_uj == pytest.approx(prefill.energy.nominal_uj)
    mean = decode.cycles / decode.tokens
    assert advice.before.decode_cycles == pytest.approx(mean, rel=0.02)
    each = decode.energy_per_token
    assert advice.before.decode_energy.nominal_uj == pytest.approx(each.nominal_uj, rel=0.02)
    link = next(unit for unit in decode.units if unit.unit == "off-chip")
    assert advice.before.off_chip_bytes == pytest.approx(link.moved_bytes / decode.tokens, rel=0.02)


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("4 bits for all layers", {"bits": 4}),
        ("a context of 32 positions", {"context": 32}),
        ("steps of 16 tokens in prefill", {"chunk": 16}),
        ("all linear layers on neureka-3x3", {"engine": Engine.NEUREKA_3X3}),
    ],
)
def test_a_change_buys_what_another_estimate_says(
    what: str, changed: dict[str, Any], folder: Path, advice: AdviceResult
) -> None:
    other = _estimate(folder, str(folder / "tight.toml"), **changed)
    assert _named(advice, what).after == cost_of(other.listing, GOAL, has_contention=True)


def test_a_faster_link_buys_what_another_target_says(folder: Path, advice: AdviceResult) -> None:
    other = _estimate(folder, _tight(folder / "fast.toml", factor=2))
    change = _named(advice, "the off-chip link at 100 MHz")
    assert change.after == cost_of(other.listing, GOAL, has_contention=True)
    assert change.request_share is not None
    assert change.request_share < 0.8


def test_other_kernels_buy_what_another_target_says(folder: Path, advice: AdviceResult) -> None:
    text = (folder / "tight.toml").read_text("utf-8")
    assert 'kernels = "portable"' in text
    (folder / "xpulp.toml").write_text(text.replace("portable", "xpulp", 1), "utf-8")
    other = _estimate(folder, str(folder / "xpulp.toml"))
    change = _named(advice, "kernels for the chip's own cores")
    assert change.after == cost_of(other.listing, GOAL, has_contention=True)
    wanted = attempts(other.listing, other.plan.request, other.result.phase("decode"), GOAL)
    assert change.what not in {attempt.what for attempt in wanted}


def test_one_layer_fewer_buys_what_a_smaller_model_says(folder: Path, advice: AdviceResult) -> None:
    config = runnable_config(ffn_size=1024)
    write_model(folder / "smaller", replace(config, layers=config.layers - 1))
    other = _estimate(folder, str(folder / "tight.toml"), model="smaller")
    change = _named(advice, "one layer fewer")
    assert change.after == cost_of(other.listing, GOAL, has_contention=True)


def test_a_model_of_one_layer_keeps_it(folder: Path) -> None:
    write_model(folder / "single", runnable_config(layers=1))
    done = _estimate(folder, "siracusa", model="single")
    wanted = attempts(done.listing, done.plan.request, done.result.phase("decode"), GOAL)
    assert "one layer fewer" not in {attempt.what for attempt in wanted}


def test_changes_that_help_most_come_first_and_say_how(advice: AdviceResult) -> None:
    shares = [change.request_share for change in advice.changes if change.request_share]
    assert shares == sorted(shares)
    assert len(shares) > 5
    for change in advice.changes:
        assert change.after is not None
        assert change.request_share == pytest.approx(
            request_cycles(change.after, GOAL) / request_cycles(advice.before, GOAL)
        )
        assert change.changes_answers is ("bits" in change.what or "layer fewer" in change.what)
        assert change.why
        assert change.how


def test_roles_are_tried_one_by_one(far: Estimate) -> None:
    wanted = attempts(far.listing, far.plan.request, far.result.phase("decode"), GOAL)
    attempt = next(one for one in wanted if one.what == "4 bits for mlp.down_proj")
    before = far.listing.graph.weight_types()
    changed = {
        name for name, kind in attempt.request.graph.weight_types().items() if kind != before[name]
    }
    layers = len(far.listing.order)
    assert changed == {f"model.layers.{layer}.mlp.down_proj.weight" for layer in range(layers)}
    assert "model.layers.*.mlp.down_proj.weight" in attempt.how


def test_groups_are_one_scale_per_row_in_a_change(folder: Path) -> None:
    done = sim.estimate(
        folder / "model",
        options=CompileOptions(weights="w4g32", context=64, chunk=4),
        prefill_tokens=8,
        decode_tokens=2,
    )
    wanted = attempts(done.listing, done.plan.request, done.result.phase("decode"), GOAL)
    attempt = next(one for one in wanted if one.what.startswith("one scale per row"))
    kinds = attempt.request.graph.weight_types().values()
    assert all(getattr(kind, "groups", 1) == 1 for kind in kinds)


def test_nothing_begins_when_the_time_is_up(far: Estimate) -> None:
    told: list[tuple[int, int]] = []
    clock = count()
    advice = sim.advise(
        far, seconds=2, progress=lambda *both: told.append(both), now=lambda: float(next(clock))
    )
    assert len(advice.changes) == 1
    assert len(advice.untried) == told[-1][1] - 1
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1]


def test_a_change_without_a_plan_is_told(far: Estimate, monkeypatch: pytest.MonkeyPatch) -> None:
    small = load_target(far.plan.request.target.name)
    memories = tuple(replace(memory, size_bytes=memory.reserved_bytes) for memory in small.memories)
    wanted = attempts(far.listing, far.plan.request, far.result.phase("decode"), GOAL)
    none = replace(
        wanted[0],
        request=replace(wanted[0].request, target=replace(small, memories=memories)),
    )
    monkeypatch.setattr("aretusa_sim.advice.attempts", lambda *_: [none, wanted[1]])
    advice = sim.advise(far)
    assert [change.fits for change in advice.changes] == [True, False]
    assert advice.changes[1].after is None
    assert f"does not fit: {none.what}" in _text(advice)


def test_a_plan_of_the_fresh_graph_is_the_plan(far: Estimate) -> None:
    graph = fresh_graph(far.listing.graph)
    assert not any(op.engine for op in graph.ops if isinstance(op, ops.Linear))
    request = replace(far.plan.request, graph=graph)
    again = listing(make_plan(request))
    assert again == far.listing


def test_advice_about_a_build(tmp_path: Path) -> None:
    options = CompileOptions(context=CONTEXT)
    compile_model(write_model(tmp_path / "model"), tmp_path / "build", options)
    done = sim.run(tmp_path / "build", tuple(range(3, 12)), 4, ignores_stop=True)
    advice = sim.advise(done)
    assert advice.before.prefill_cycles == done.result.phase("prefill").cycles
    replanned = _named(advice, "the planner's own engines and chunk")
    assert replanned.after is not None
    assert replanned.request_share == pytest.approx(1, abs=1e-3)  # the build is that plan
    narrow = replace(options, bits=4, chunk=done.listing.graph.chunk_max)
    compile_model(tmp_path / "model", tmp_path / "narrow", narrow)
    other = sim.run(tmp_path / "narrow", tuple(range(3, 12)), 4, ignores_stop=True)
    after = _named(advice, "4 bits for all layers").after
    assert after == sim.advise(other, seconds=0).before


def _text(advice: AdviceResult) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    print_advice(advice, console)
    return console.export_text()


def test_a_terminal_of_80_columns_shows_what_helps(advice: AdviceResult) -> None:
    text = _text(advice)
    helping = [one for one in advice.changes if one.request_share and one.request_share < 0.99]
    for change in helping:
        assert change.what in text
        assert change.how in text
    tables = [line for line in text.splitlines() if ": " not in line]
    assert max(map(len, tables)) <= 80
    assert "measure quality" in text
