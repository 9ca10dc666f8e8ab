"""plan_model(): published sizes fit or do not, and what is offered instead really fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tiny_models import CONTEXT, compile_tiny, runnable_config, write_model, write_target

from aretusa.manifest import PLAN_FILE, read_manifest
from aretusa.options import CompileOptions
from aretusa.plan_results import PlanReport
from aretusa.verbs.plan import PlanRequest, plan_model

if TYPE_CHECKING:
    from aretusa.plan_results import WayOut

ROOT: Final = Path(__file__).resolve().parents[3]
CONFIGS: Final = ROOT / "examples" / "configs"
SHIPPED: Final = ROOT / "examples" / "models" / "tiny-orator"
MOST_GAP: Final = 0.01
LARGE: Final = ("llama-3.2-1b", "qwen3-0.6b")


def plan(model: Path, **options: Any) -> PlanReport:  # noqa: ANN401
    return plan_model(model, PlanRequest(options=CompileOptions(**options)))


def config(name: str) -> Path:
    return CONFIGS / f"{name}.json"


def with_way(options: dict[str, Any], way: WayOut) -> dict[str, Any]:
    """The options with those of a way out; none here has a scheme of its own."""
    words = iter(way.option.split())
    changes = {word.removeprefix("--"): next(words) for word in words}
    numbers = {key: value if key == "target" else int(value) for key, value in changes.items()}
    return options | numbers


def check_fit(report: PlanReport) -> None:
    """Nothing is short, and no better plan is excluded by more than the solver left open."""
    assert report.fits
    assert report.ways_out == []
    assert report.placement is not None
    assert report.totals is not None
    placement = report.placement
    assert placement.gap <= MOST_GAP
    assert placement.bound_cycles <= placement.objective_cycles <= placement.first_fit_cycles
    for tier in report.tiers:
        assert tier.used_bytes <= tier.capacity_bytes
        assert tier.peak_bytes <= tier.capacity_bytes
    decode = sum(row.decode_cycles for row in report.layers)
    assert decode > 0
    assert report.totals.decode_tokens_per_second > 0


def check_ways_out(model: Path, report: PlanReport, options: dict[str, Any]) -> None:
    assert not report.fits
    assert report.shortage is not None
    assert report.shortage.short_bytes > 0
    assert report.shortage.memory in {tier.memory for tier in report.tiers}
    assert 1 <= len(report.ways_out) <= 3
    for way in report.ways_out:
        assert plan(model, **with_way(options, way)).fits, way.option


def test_a_small_config_lies_on_the_chip() -> None:
    report = plan(config("llama-0.5m"))
    check_fit(report)
    homes = {region.memory for region in report.regions if region.kind == "weight"}
    assert "l3" not in homes
    assert report.totals is not None
    assert report.totals.off_chip_bytes_per_token == 0


def test_the_shipped_model_fits_the_chip() -> None:
    report = plan(SHIPPED)
    check_fit(report)
    assert {region.memory for region in report.regions} == {"l1", "l2", "sram", "mram"}


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", ["smollm2-135m", "llama-42m"])
def test_sizes_between_fit_with_most_weights_off_chip(name: str, bits: int) -> None:
    report = plan(config(name), bits=bits)
    check_fit(report)
    assert report.totals is not None
    assert report.totals.off_chip_bytes_per_token > 2**20


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_billion_parameters_fit_a_board_with_1_gib(name: str) -> None:
    report = plan(config(name), bits=4, target="siracusa-1gib")
    check_fit(report)
    assert report.notes[0] == "the size of the tokenizer is an estimate"


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 8])
def test_a_billion_parameters_do_not_fit_otherwise(bits: int) -> None:
    report = plan(config("llama-3.2-1b"), bits=bits)
    check_ways_out(config("llama-3.2-1b"), report, {"bits": bits})
    assert report.shortage is not None
    assert report.shortage.memory == "l3"
    assert any("siracusa-1gib" in way.option for way in report.ways_out)


def test_what_is_offered_on_a_small_chip_fits(tmp_path: Path) -> None:
    target = str(
        write_target(tmp_path / "other.toml", l2=360_000, sram=100_000, mram=100_000, l3=200_000)
    )
    options = {"bits": 8, "target": target}
    report = plan(config("llama-0.5m"), **options)
    assert report.target == "other"
    check_ways_out(config("llama-0.5m"), report, options)


def test_too_little_l1_is_said_in_bytes(tmp_path: Path) -> None:
    target = write_target(tmp_path / "other.toml", l1=2048)
    report = plan(config("llama-0.5m"), target=str(target))
    assert report.shortage is not None
    assert report.shortage.memory == "l1"
    assert report.shortage.free_bytes == 2048
    assert "a step of one token at" in report.shortage.what


def test_a_plan_is_that_of_the_build(tiny_model: Path, tmp_path: Path) -> None:
    build = compile_tiny(tiny_model, tmp_path / "build", chunk=None)
    built = PlanReport.model_validate_json((build / PLAN_FILE).read_text("utf-8"))
    assert plan(tiny_model, context=CONTEXT) == built
    assert built.options.chunk == read_manifest(build).options.chunk


def test_a_plan_needs_no_weights(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    whole = plan(model)
    (model / "model.safetensors").unlink()
    assert plan(model) == whole
    (model / "tokenizer.json").unlink()
    estimated = plan(model)
    assert estimated.notes[0] == "the size of the tokenizer is an estimate"


def test_a_plan_is_made_for_a_request(tmp_path: Path) -> None:
    config_only = write_model(tmp_path / "model", runnable_config(max_positions=512))
    options = CompileOptions(context=256)
    long = plan_model(
        config_only, PlanRequest(options=options, prefill_tokens=200, decode_tokens=20)
    )
    short = plan_model(config_only, PlanRequest(options=options, prefill_tokens=8))
    assert (long.options.prefill_tokens, long.options.decode_tokens) == (200, 20)
    assert (short.options.prefill_tokens, short.options.decode_tokens) == (8, 64)
    assert long.totals is not None
    assert short.totals is not None
    assert long.totals.prefill_cycles > short.totals.prefill_cycles


def test_equal_questions_get_equal_answers() -> None:
    assert plan(config("llama-0.5m"), bits=4) == plan(config("llama-0.5m"), bits=4)
