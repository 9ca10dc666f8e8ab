"""Low-rank pairs: the second factor is on its way while the first one's product is computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tiny_models import write_target

import aretusa_sim as sim
from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa_sim.program_rows import op_infos
from aretusa_sim.units import Unit

if TYPE_CHECKING:
    from aretusa_sim.estimation import Estimate

CONFIG: Final = Path(__file__).parents[2] / "examples" / "models" / "tiny-orator" / "config.json"
RANK: Final = 252
KIB: Final = 1024


def estimated(folder: Path, engine: Engine) -> Estimate:
    """One block of width 504 with a pair for its matrix up_proj; hardly any weight fits on chip."""
    config = json.loads(CONFIG.read_text("utf-8"))
    config |= {"num_hidden_layers": 1, "head_dim": 56}
    config |= {"hidden_size": 504, "intermediate_size": 1008}
    config["aretusa"] = {"version": 1, "ranks": {"model.layers.0.mlp.up_proj": RANK}}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    target = write_target(folder / "small.toml", mram=64 * KIB, sram=300 * KIB)
    options = CompileOptions(bits=6, engine=engine, context=64, chunk=4, target=str(target))
    return sim.estimate(
        path, options=options, prefill_tokens=4, decode_tokens=2, has_intervals=True
    )


@pytest.mark.parametrize(
    ("engine", "worker", "carrier"),
    [
        (Engine.NEUREKA_3X3, Unit.ENGINE, Unit.LINK),
        (Engine.CLUSTER, Unit.CLUSTER, Unit.DMA_IN),
    ],
)
def test_the_second_factor_comes_while_the_first_is_used(
    tmp_path: Path, engine: Engine, worker: Unit, carrier: Unit
) -> None:
    made = estimated(tmp_path, engine)
    names = [info.name for info in op_infos(made.listing)]
    first, second = (names.index(f"mlp.up_proj.low_rank_{side}") for side in ("in", "out"))
    for step in made.timings:
        used = [
            (start, end)
            for unit, start, end, row in step.intervals
            if (unit, row) == (worker, first)
        ]
        comes = [
            start for unit, start, _, row in step.intervals if (unit, row) == (carrier, second)
        ]
        assert min(comes) < max(end for _, end in used)
