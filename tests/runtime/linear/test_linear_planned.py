"""Linear layers under a plan equal the NumPy reference bit by bit; misused streams are noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from layer_weights import ClusterPart
from linear_scenarios import Memory, OpSpec, ScenarioSpec, Use, build_scenario

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from linear_programs import BareMetal, HostProgram
    from linear_scenarios import Scenario

EXIT_ASSERT = 16


def check(program: HostProgram, scenarios: Sequence[Scenario], cores: int, folder: Path) -> None:
    results = program.run(scenarios, cores, folder)
    differ = [
        f"{scenario.name}: {np.count_nonzero(found != scenario.expected)} of {found.size}"
        for scenario, found in zip(scenarios, results, strict=True)
        if found.tobytes() != scenario.expected.tobytes()
    ]
    assert differ == []


@pytest.mark.parametrize("cores", [1, 8])
def test_layers_equal_the_reference(
    host: HostProgram, scenarios: list[Scenario], cores: int, tmp_path: Path
) -> None:
    check(host, scenarios, cores, tmp_path)


@pytest.mark.slow
def test_cores_share_nothing_without_a_barrier(
    raced: HostProgram, scenarios: list[Scenario], tmp_path: Path
) -> None:
    check(raced, scenarios, 3, tmp_path)


@pytest.mark.qemu
def test_rv32_gives_the_same_bits(bare_metal: BareMetal, scenarios: list[Scenario]) -> None:
    bare_metal.check(scenarios)


def tiles_spec(use: Use, slots: int = 2, shortage: int = 0) -> ScenarioSpec:
    """Nothing but tiles: three of each of four layers."""
    op = OpSpec(
        kind=0,
        depth=40,
        cluster=ClusterPart(rows=40, form=(8, 0, False), has_bias=False),
        cluster_memories=(Memory.L2, Memory.L3, Memory.MRAM, Memory.SRAM),
        tile_rows=16,
    )
    return ScenarioSpec(
        name=use.name,
        ops=(op,),
        layers=tuple((0, row) for row in range(4)),
        tokens=(1,),
        tile_slots=slots,
        use=use,
        slot_shortage=shortage,
    )


@pytest.mark.parametrize("slots", [1, 2, 3, 4])
@pytest.mark.parametrize("use", [Use.RELEASE_TOO_EARLY, Use.NEVER_AWAIT])
def test_tiles_used_at_the_wrong_time_give_wrong_bits(
    host: HostProgram, use: Use, slots: int, tmp_path: Path
) -> None:
    scenario = build_scenario(tiles_spec(use, slots), 1)
    results = host.run([scenario], 1, tmp_path)
    assert results[0].tobytes() != scenario.expected.tobytes()


@pytest.mark.parametrize(
    "use",
    [
        Use.AWAIT_PAST_THE_END,
        Use.AWAIT_WHILE_ALL_ARE_TAKEN,
        Use.RELEASE_WHAT_WAS_NOT_AWAITED,
        Use.BEGIN_TWICE,
    ],
)
def test_streams_refuse_what_no_plan_does(host: HostProgram, use: Use, tmp_path: Path) -> None:
    done, _ = host.start([build_scenario(tiles_spec(use), 1)], 1, tmp_path)
    assert done.returncode == EXIT_ASSERT


def test_streams_refuse_loads_that_are_larger_than_a_slot(
    host: HostProgram, tmp_path: Path
) -> None:
    scenario = build_scenario(tiles_spec(Use.AS_MEANT, shortage=32), 1)
    done, _ = host.start([scenario], 1, tmp_path)
    assert done.returncode == EXIT_ASSERT
