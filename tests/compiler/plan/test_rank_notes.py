"""Ranks of low-rank pairs: what the plan says costs nothing does cost nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa.verbs.plan import PlanRequest, plan_model

if TYPE_CHECKING:
    from aretusa.plan_results import LayerResult, PlanReport

SHIPPED: Final = Path(__file__).parents[3] / "examples" / "models" / "tiny-orator" / "config.json"
MODULE: Final = "model.layers.0.mlp.up_proj"


def planned(folder: Path, rank: int, engine: Engine = Engine.NEUREKA_3X3) -> PlanReport:
    """One block of width 504 whose matrix up_proj [1008, 504] is a pair."""
    config = json.loads(SHIPPED.read_text("utf-8"))
    config |= {"num_hidden_layers": 1, "head_dim": 56}
    config |= {"hidden_size": 504, "intermediate_size": 1008}
    config["aretusa"] = {"version": 1, "ranks": {MODULE: rank}}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    options = CompileOptions(bits=6, engine=engine, context=64)
    return plan_model(path, PlanRequest(options=options))


def row(report: PlanReport, side: str) -> LayerResult:
    return next(row for row in report.layers if row.name == f"mlp.up_proj.low_rank_{side}")


def notes(report: PlanReport) -> list[str]:
    return [note for note in report.notes if "low-rank" in note]


def test_up_to_the_next_tile_the_second_factor_is_the_same(tmp_path: Path) -> None:
    at_64, at_252, at_253 = (planned(tmp_path, rank) for rank in (64, 252, 253))
    [note] = notes(at_64)
    assert note == (
        "1 low-rank pair of rank 64 on N-EUREKA: up to rank 252 the second factor would be no "
        "larger and no slower"
    )
    same = [
        (row(one, "out").weight_bytes, row(one, "out").decode_cycles) for one in (at_64, at_252)
    ]
    assert same[0] == same[1]
    assert row(at_253, "out").decode_cycles > 1.5 * row(at_252, "out").decode_cycles
    assert notes(at_252) == []


def test_a_rank_just_above_a_tile_is_told_what_the_tile_costs(tmp_path: Path) -> None:
    found = planned(tmp_path, 256)
    less = row(found, "out").weight_bytes - row(planned(tmp_path, 252), "out").weight_bytes
    [note] = notes(found)
    assert note.endswith(f"; at rank 252 smaller by {less / 1024:,.1f} KiB")
    assert "up to rank 504" in note
    assert "; at rank" not in notes(planned(tmp_path, 300))[0]


def test_the_cluster_reads_no_tiles(tmp_path: Path) -> None:
    assert notes(planned(tmp_path, 64, Engine.CLUSTER)) == []


def test_the_vector_between_the_factors_stays_in_l1(tmp_path: Path) -> None:
    report = planned(tmp_path, 252)
    assert row(report, "in").buffers.endswith("out L1")
    assert row(report, "out").buffers.startswith("src L1")
