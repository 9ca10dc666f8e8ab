"""Prices of weights: what the worker says is what plan and simulation say."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tiny_models import runnable_config, write_model

from aretusa.options import CompileOptions
from aretusa.verbs.plan import PlanRequest, plan_model
from aretusa_sim.estimation import estimate
from aretusa_sim.weight_prices import price

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = CompileOptions(chunk=8, context=64)
REQUEST = {"prefill_tokens": 32, "decode_tokens": 32}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("priced") / "model", runnable_config(layers=2))


def test_prices_add_up_to_what_the_simulation_says(model: Path) -> None:
    found = price(model, options=OPTIONS, **REQUEST)
    decode = estimate(model, options=OPTIONS, **REQUEST).result.phase("decode")
    assert found.cycles_per_token == decode.cycles / decode.steps
    assert sum(op.cycles for op in found.ops) == pytest.approx(found.cycles_per_token)
    assert sum(op.uj for op in found.ops) == pytest.approx(found.uj_per_token)
    assert found.uj_per_token == decode.energy_per_token.nominal_uj
    assert found.tokens_per_s == pytest.approx(found.clock_hz / found.cycles_per_token)
    first = price(model, options=OPTIONS, prefill_tokens=32, decode_tokens=4)
    assert first.weight_bytes == found.weight_bytes, "few timed tokens do not change the plan"
    assert first.cycles_per_token == pytest.approx(found.cycles_per_token, rel=0.1)


def test_bytes_are_those_of_the_plan(model: Path) -> None:
    found = price(model, options=OPTIONS, **REQUEST)
    report = plan_model(model, PlanRequest(options=OPTIONS, **REQUEST))
    planned = sum(one.size_bytes for one in report.regions if one.kind == "weight")
    tables = sum(one.size_bytes for one in report.regions if one.kind == "table")
    assert sum(found.weight_bytes.values()) == planned
    assert sum(found.constant_bytes.values()) == planned + tables
    assert {"model.embed_tokens", "model.layers.1.mlp.down_proj"} <= found.weight_bytes.keys()
    assert {"model.layers.1.mlp.down_proj", "model.layers.0.attention"} <= {
        op.name for op in found.ops
    }


def lines(folder: Path, models: list[Path]) -> list[dict[str, Any]]:
    job = {"target": "siracusa", "chunk": 1, **REQUEST, "models": [str(one) for one in models]}
    (folder / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [sys.executable, "-m", "aretusa_sim.weight_prices", str(folder / "job.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_worker_answers_for_every_model_in_turn(model: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    huge.mkdir()
    config = json.loads((model / "config.json").read_text())
    changes = {"hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 8}
    (huge / "config.json").write_text(json.dumps({**config, **changes}))
    fits, too_large, missing = lines(tmp_path, [model, huge, tmp_path / "missing"])
    assert fits["cycles_per_token"] > 0
    assert too_large["shortage"]["bytes"] > 0
    assert "E0001" in missing["error"]
