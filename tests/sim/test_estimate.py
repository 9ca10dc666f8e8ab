from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import aretusa_sim as sim
from aretusa.plan.rows import layer_rows
from aretusa_sim.program_rows import epoch_labels, op_infos

if TYPE_CHECKING:
    from aretusa_sim.estimation import Estimate

CONFIGS: Final = Path(__file__).resolve().parents[2] / "examples" / "configs"
# Of the plan's cycles of a decoded token.
BAND: Final = 0.1


@pytest.fixture(scope="module", params=[4, 8])
def small(request: pytest.FixtureRequest) -> Estimate:
    return sim.estimate(
        CONFIGS / "llama-0.5m.json",
        bits=request.param,
        context=128,
        chunk=8,
        prefill_tokens=16,
        decode_tokens=4,
    )


def test_an_estimate_has_steps_and_no_tokens(small: Estimate) -> None:
    result = small.result
    assert result.is_estimate
    assert result.new_tokens == []
    assert [step.tokens for step in result.steps] == [8, 8, 1, 1, 1]


def test_rows_are_those_of_the_plan(small: Estimate) -> None:
    rows, infos = layer_rows(small.plan), op_infos(small.listing)
    assert [(row.layer, row.op, row.engine, row.bits) for row in rows] == [
        (info.layer, info.op, info.engine, info.bits) for info in infos[:-1]
    ]
    weights = [(row.memory, info.memory) for row, info in zip(rows, infos, strict=False)]
    assert all(planned == found.key for planned, found in weights if planned and found)


def test_epochs_are_those_of_the_plan(small: Estimate) -> None:
    from aretusa.memory.lifetimes import step_labels  # noqa: PLC0415

    assert epoch_labels(small.listing) == step_labels(small.plan.bodies)


def test_plan_and_simulation_agree_about_a_decoded_token(small: Estimate) -> None:
    decode = small.result.phase("decode")
    planned = small.plan.load.decode_work / small.plan.request.goal.decode_tokens
    assert decode.cycles / decode.steps == pytest.approx(planned, rel=BAND)


def test_more_cached_positions_take_longer(small: Estimate) -> None:
    decode = [step.cycles for step in small.result.steps if step.phase == "decode"]
    assert decode == sorted(decode)
