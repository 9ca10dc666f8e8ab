"""Ranks of low-rank pairs: what the plan says costs nothing does cost nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa.plan.rank_notes import rank_notes
from aretusa.verbs.plan import PlanRequest, plan_model

if TYPE_CHECKING:
    from aretusa.plan_results import LayerResult, PlanReport

SHIPPED: Final = Path(__file__).parents[3] / "examples" / "models" / "tiny-orator" / "config.json"
MODULE: Final = "model.layers.0.mlp.up_proj"


def planned(
    folder: Path,
    rank: int,
    engine: Engine = Engine.NEUREKA_3X3,
    hidden: int = 504,
    chunk: int | None = None,
) -> PlanReport:
    """One block whose matrix up_proj [2 hidden, hidden] is a pair."""
    config = json.loads(SHIPPED.read_text("utf-8"))
    config |= {"num_hidden_layers": 1, "head_dim": hidden // 9}
    config |= {"hidden_size": hidden, "intermediate_size": 2 * hidden}
    config["aretusa"] = {"version": 1, "ranks": {MODULE: rank}}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    options = CompileOptions(bits=6, engine=engine, context=64, chunk=chunk)
    return plan_model(path, PlanRequest(options=options))


def row(report: PlanReport, side: str) -> LayerResult:
    return next(row for row in report.layers if row.name == f"mlp.up_proj.low_rank_{side}")


def notes(report: PlanReport) -> list[str]:
    return [note for note in report.notes if "low-rank" in note]


@pytest.mark.parametrize(("engine", "tile"), [(Engine.NEUREKA_3X3, 252), (Engine.NEUREKA_1X1, 32)])
def test_up_to_the_next_tile_the_second_factor_is_the_same(
    tmp_path: Path, engine: Engine, tile: int
) -> None:
    rank = tile - tile // 3
    partly, full, over = (planned(tmp_path, r, engine) for r in (rank, tile, tile + 1))
    [note] = notes(partly)
    assert note == (
        f"1 low-rank pair on {engine.value}, tiles of {tile} inputs: higher ranks make the second "
        f"factor no larger and no slower ({rank} to {tile})"
    )
    assert notes(full) == []
    costs = [
        (row(one, "out").weight_bytes, row(one, "out").decode_cycles) for one in (partly, full)
    ]
    assert costs[0] == costs[1]
    less = row(over, "out").weight_bytes - row(full, "out").weight_bytes
    assert less > 0
    assert row(over, "out").decode_cycles > row(full, "out").decode_cycles
    assert notes(over)[1] == (
        f"1 low-rank pair on {engine.value} just above a multiple of {tile}: lower ranks make the "
        f"second factor smaller by {less / 1024:,.1f} KiB ({tile + 1} to {tile})"
    )


def test_only_ranks_just_above_a_tile_are_told_to_fall(tmp_path: Path) -> None:
    assert len(notes(planned(tmp_path, 300))) == 1
    assert len(notes(planned(tmp_path, 64))) == 1


def test_many_ranks_are_one_note(tmp_path: Path) -> None:
    [note] = rank_notes(
        [
            row(planned(tmp_path, 64), "out").model_copy(update={"depth": depth})
            for depth in (60, 70, 70, 80, 90, 100)
        ]
    )
    assert note.startswith("6 low-rank pairs on neureka-3x3")
    assert note.endswith("(60 to 252, 70 to 252, 80 to 252, 90 to 252, ...)")


def test_the_cluster_reads_no_tiles(tmp_path: Path) -> None:
    assert notes(planned(tmp_path, 64, Engine.CLUSTER)) == []


@pytest.mark.parametrize("engine", list(Engine))
def test_the_vector_between_the_factors_stays_in_l1(tmp_path: Path, engine: Engine) -> None:
    report = planned(tmp_path, 252, engine)
    assert row(report, "in").buffers.endswith("out L1")
    assert row(report, "out").buffers.startswith("src L1")


def test_the_vector_between_stays_where_wide_vectors_must_leave(tmp_path: Path) -> None:
    """Of the vectors of 16 tokens not all have room in L1; the narrow ones are the last to go."""
    report = planned(tmp_path, 64, hidden=1260, chunk=16)
    buffers = [one.buffers for one in report.layers if one.op == "linear"]
    assert any(one.endswith("out L2") for one in buffers)
    assert row(report, "in").buffers == "src L1, out L1"
    assert row(report, "out").buffers.startswith("src L1")
