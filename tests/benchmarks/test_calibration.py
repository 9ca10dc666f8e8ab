"""Published figures beside ours: the errors, what was fitted, and that the page is current."""

from __future__ import annotations

from dataclasses import replace

import calibration_chips
import pytest
from calibration import (
    MEDIAN_GOAL,
    PAGE,
    TABLE,
    WORST_GOAL,
    calibration_lines,
    groups,
    marks,
    replaced,
)
from calibration_rows import Group, Row, check_errors
from deeploy_kernels import Shape, kernel_cycles
from deeploy_schedules import CHIP, Deeploy, Network, Op, Tile, job_of, networks

from aretusa.neureka.cycles import job_cycles
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target

FOUND = groups()
TARGET = load_target(str(CHIP))


def _rows(use: str) -> list[Row]:
    return [row for group in FOUND for row in group.rows if row.use == use]


def test_independent_rows_are_near_enough() -> None:
    errors = check_errors(FOUND)
    assert errors.count >= 35
    assert errors.median <= MEDIAN_GOAL
    assert errors.worst <= WORST_GOAL


def test_errors_are_those_of_independent_rows_alone() -> None:
    def row(what: str, ours: float, use: str) -> Row:
        return Row(what=what, published=100.0, ours=ours, use=use)  # type: ignore[arg-type]

    rows = (row("a", 110.0, "check"), row("b", 70.0, "check"), row("c", 900.0, "fit"))
    errors = check_errors([Group(title="", source="", unit="", rows=rows)])
    assert (errors.count, errors.worst_row) == (2, "b")
    assert errors.median == pytest.approx(0.2)
    assert errors.worst == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("what", "tolerance"),
    [
        ("linear 256 > 64, weight memory: kernel", 0.001),
        ("RMSNorm, tile 1 of 4 rows: outputs", 0.001),
        ("token, 64 cached, N-EUREKA, weights through L1", 0.001),
        ("linear 256 > 64, weights through L1: outputs", 0.065),  # one constant for two rows
        ("linear 256 > 64, weight memory: outputs", 0.065),
    ],
)
def test_constants_are_those_of_their_rows(what: str, tolerance: float) -> None:
    row = next(row for row in _rows("fit") if row.what == what)
    assert abs(row.error) < tolerance


def test_rows_that_are_ours_written_down_agree() -> None:
    engine = [row for row in _rows("same") if "speed-up" not in row.what]
    assert len(engine) >= 30
    assert max(abs(row.error) for row in engine) < 0.05


def test_what_cannot_be_compared_says_why() -> None:
    assert all(row.note for row in _rows("context"))


def test_the_page_is_current() -> None:
    page = PAGE.read_text("utf-8")
    assert replaced(page, TABLE, calibration_lines(FOUND)) == page, "make calibration writes it"


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    first, last = marks("x")
    page = f"before\n{first}\nold\n{last}\nafter\n"
    assert replaced(page, "x", ["new", ""]) == f"before\n{first}\n\nnew\n\n{last}\nafter\n"
    with pytest.raises(AssertionError, match="no marks of y"):
        replaced(page, "y", [])


def test_cycles_of_a_network_are_those_of_its_parts() -> None:
    network = networks()["micro_llama_64_engine"]
    deeploy = Deeploy()
    spent = deeploy.run(network)
    assert spent.total == deeploy.timeline.now
    assert spent.kernels + spent.engine + spent.transfers + spent.around == spent.total
    assert min(spent.kernels, spent.engine, spent.transfers, spent.around) > 0


def test_layers_and_cores_scale_as_they_must() -> None:
    network = networks()["micro_llama_128_untiled"]
    one = Deeploy().run(replace(network, layers=1)).total
    assert Deeploy().run(replace(network, layers=2)).total - one == pytest.approx(
        Deeploy().run(network).total - Deeploy().run(replace(network, layers=7)).total
    )
    ratio = Deeploy(cores=1).run(network).total / Deeploy().run(network).total
    assert 4 < ratio < 6  # the published one is 5.2: copies of the caches run on one core


def test_networks_have_the_operations_of_the_model() -> None:
    linear = 8 * (4 * 64 * 64 + 3 * 64 * 256)
    for name, network in networks().items():
        tokens = 64 if name.startswith("parallel") else 1
        macs = sum(
            tile.times * tile.shape.rows * tile.shape.depth * tile.shape.outs
            for op in network.ops()
            if op.kernel in {"linear", "engine"}
            for tile in op.tiles
            if tile.shape.depth in {64, 256} and tile.shape.outs >= 16
        )
        assert macs == tokens * linear, name


def test_weights_move_unless_they_lie_in_the_weight_memory() -> None:
    def moved(name: str) -> int:
        network = networks()[name]
        return sum(tile.times * sum(tile.in_bytes) for op in network.ops() for tile in op.tiles)

    weights = 8 * (4 * 64 * 64 + 3 * 64 * 256)
    assert moved("micro_llama_64_engine") - moved("micro_llama_64_weight_memory") == weights


def test_a_kernel_by_hand() -> None:
    """RMSNorm of one row of 64 on 8 cores: 236 + 64 * 2.5 + 8 * 44 cycles, rounded up."""
    shape = Shape(rows=1, depth=64)
    row = 145 + 26 * 2 + 1 + 8 + 31
    element, own = 2.25 + 0.125 * 2, 9 + 1 + 2 + 1 + 31
    in_l1 = kernel_cycles("rms_norm", shape, TARGET, MemoryId.L1)
    assert in_l1 == row + 64 * element + 8 * own
    in_l2 = kernel_cycles("rms_norm", shape, TARGET, MemoryId.L2)
    assert in_l2 - in_l1 == (64 + 8 * 3) * 14


def test_an_odd_output_is_computed_alone() -> None:
    three, four = (
        kernel_cycles("batch", Shape(rows=8, depth=64, outs=outs), TARGET, MemoryId.L1)
        for outs in (3, 4)
    )
    two = kernel_cycles("batch", Shape(rows=8, depth=64, outs=2), TARGET, MemoryId.L1)
    assert two < three < four


def test_a_tile_is_load_kernel_and_store() -> None:
    tile = Tile(times=2, shape=Shape(elements=800), in_bytes=(800,), out_bytes=(800,))
    deeploy = Deeploy()
    (spent,) = deeploy.op(Op("add", (tile,)))
    fitted, wake, setup = deeploy.fitted, TARGET.cluster.wake_cycles, TARGET.dma.setup_cycles
    assert spent.load == fitted.first_transfer_cycles + setup + 800 // 8 + wake
    kernel = kernel_cycles("add", tile.shape, TARGET, MemoryId.L1)
    assert spent.kernel == kernel + 2 * TARGET.cluster.barrier_cycles
    whole = spent.load + spent.kernel + spent.store
    again = whole - 2 * fitted.first_transfer_cycles
    assert deeploy.timeline.now == fitted.op_cycles + whole + again


def test_pixels_of_a_job_form_few_tiles() -> None:
    many = job_of(Shape(rows=64))
    assert (many.out_rows, many.out_cols) == (4, 16)  # three tiles, 8 x 8 would be four
    assert job_of(Shape(rows=1, depth=256, outs=64)).has_prefetch is False
    assert job_cycles(job_of(Shape(rows=1, depth=256, outs=64)), TARGET.neureka).total == 1556


def test_ops_before_the_layers_are_repeated() -> None:
    op = Op("add", (Tile(times=1, shape=Shape(elements=8)),))
    network = Network(layers=3, first=((2, op),), layer=(op, op))
    assert len(list(network.ops())) == 8


def test_shares_of_eight_chips_add_up_to_the_block() -> None:
    def weights(chips: int) -> int:
        return sum(
            tile.times * tile.shape.depth * tile.shape.outs
            for op in calibration_chips._block(chips)
            if op.kernel == "linear"
            for tile in op.tiles
        )

    assert weights(1) == 8 * weights(8) == calibration_chips._weights_bytes()
