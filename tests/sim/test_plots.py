"""Plots show the numbers of the document, are the same bytes each time, and stand alone."""

from __future__ import annotations

import csv
import io
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import pytest
from matplotlib.figure import Figure

import aretusa_sim as sim
from aretusa.cli import main
from aretusa.errors import ExitCode
from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa_sim.plots import FORMATS, pictures, plots, write_plots
from aretusa_sim.plots_files import sweep_csv
from aretusa_sim.plots_roofline import merged, rate, roofline_points
from aretusa_sim.plots_style import INK, rendered
from aretusa_sim.sweep import context_sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from aretusa_sim.estimation import Estimate
    from aretusa_sim.plots_style import Plot
    from aretusa_sim.sweep import SweepPoint

CONFIG: Final = Path(__file__).resolve().parents[2] / "examples" / "configs" / "llama-0.5m.json"
NAMES: Final = ["cycles-by-layer", "roofline", "energy-by-layer", "context", "memory"]


@pytest.fixture(scope="module")
def done() -> Estimate:
    options = CompileOptions(bits=4, context=64, chunk=4, engine=Engine.NEUREKA_3X3)
    return sim.estimate(CONFIG, options=options, prefill_tokens=6, decode_tokens=4)


@pytest.fixture(scope="module")
def sweep(done: Estimate) -> list[SweepPoint]:
    return context_sweep(done.listing)


@pytest.fixture(scope="module")
def drawn(done: Estimate, sweep: list[SweepPoint]) -> list[Plot]:
    return plots(done.result, sweep)


def _axes(drawn: list[Plot], name: str) -> list[Axes]:
    figure = Figure()
    next(plot for plot in drawn if plot.name == name).draw(figure)
    return figure.axes


def _heights(axes: Axes) -> float:
    return float(sum(bar.get_height() for bars in axes.containers for bar in bars))


def test_columns_of_cycles_add_up_to_the_phase(done: Estimate, drawn: list[Plot]) -> None:
    panels = _axes(drawn, "cycles-by-layer")
    for axes, name in zip(panels, ("decode", "prefill"), strict=True):
        phase = done.result.phase(name)
        assert _heights(axes) == pytest.approx(phase.cycles / phase.tokens)
        labels = [tick.get_text() for tick in axes.get_xticklabels()]
        assert labels == ["in", "0", "1", "2", "3", "head"]


def test_columns_of_energy_add_up_to_the_phase(done: Estimate, drawn: list[Plot]) -> None:
    panels = _axes(drawn, "energy-by-layer")
    for axes, name in zip(panels, ("decode", "prefill"), strict=True):
        energy = done.result.phase(name).energy_per_token
        assert _heights(axes) == pytest.approx(energy.nominal_uj)


def test_no_op_of_the_roofline_is_above_its_limits(done: Estimate) -> None:
    rates = done.result.limits.rates
    for phase in done.result.phases:
        found = roofline_points(phase, rates)
        multiplying = {op.name for op in phase.ops if op.macs}
        assert len(found) == len(multiplying)
        for point in found:
            assert point.macs_per_cycle <= point.macs_per_byte * rate(rates, point.link)
            assert point.macs_per_cycle <= rates.engine_bit_macs / 4
        names = [name for point in merged(found) for name in point.names]
        assert sorted(names) == sorted(name for point in found for name in point.names)
        linear = next(point for point in found if point.names == ("up_proj",))
        assert linear.is_engine
        assert linear.link == "weight-port"


def test_the_context_plot_shows_the_sweep(sweep: list[SweepPoint], drawn: list[Plot]) -> None:
    speed, cycles = _axes(drawn, "context")
    (line,) = speed.get_lines()
    assert list(line.get_xdata()) == [point.position for point in sweep]
    assert list(line.get_ydata()) == [point.tokens_per_second for point in sweep]
    highest = max(path.get_datalim(cycles.transData).y1 for path in cycles.collections)
    assert highest == pytest.approx(max(point.cycles for point in sweep))


def test_a_sweep_times_what_a_run_times(done: Estimate) -> None:
    """With all weights on the chip a token's time depends on nothing but its position."""
    steps = [step for step in done.result.steps if step.phase == "decode"]
    found = context_sweep(done.listing, [step.position for step in steps])
    assert [point.cycles for point in found] == [step.cycles for step in steps]
    assert all(sum(point.op_cycles.values()) == point.cycles for point in found)


def test_a_sweep_goes_from_the_first_position_to_the_last(sweep: list[SweepPoint]) -> None:
    assert [sweep[0].position, sweep[-1].position] == [0, 63]
    assert [point.cycles for point in sweep] == sorted(point.cycles for point in sweep)


def test_the_memory_plot_has_a_panel_for_each_memory_in_use(
    done: Estimate, drawn: list[Plot]
) -> None:
    used = [one for one in done.result.occupancy if any(one.alive_bytes)]
    panels = _axes(drawn, "memory")
    assert len(panels) == len(used)
    for axes, one in zip(panels, used, strict=True):
        values = axes.patches[0].get_data().values  # type: ignore[attr-defined]
        assert [1024 * value for value in values] == one.alive_bytes
        assert axes.get_title().startswith(one.memory.upper())
    ticks = [tick.get_text() for tick in panels[-1].get_xticklabels()]
    assert len(ticks) == len(done.result.epochs)


def test_every_axis_says_what_it_counts(drawn: list[Plot]) -> None:
    for plot in drawn:
        figure = Figure()
        plot.draw(figure)
        assert all(axes.get_ylabel() for axes in figure.axes if plot.name != "roofline")
        assert figure.axes[0].get_ylabel()
        assert figure.axes[-1].get_xlabel()


def test_the_table_of_the_sweep_has_its_numbers(sweep: list[SweepPoint]) -> None:
    rows = list(csv.DictReader(io.StringIO(sweep_csv(sweep))))
    assert [int(row["position"]) for row in rows] == [point.position for point in sweep]
    kinds = [name for name in rows[0] if name.endswith("_cycles")]
    assert [sum(int(row[kind]) for kind in kinds) for row in rows] == [
        point.cycles for point in sweep
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_a_plot_is_the_same_bytes_again(form: str, drawn: list[Plot]) -> None:
    assert form in {"svg", "png"}
    for plot in (drawn[1], drawn[3]):
        assert rendered(plot, form) == rendered(plot, form)  # type: ignore[arg-type]


def test_a_drawing_stands_alone(drawn: list[Plot]) -> None:
    for picture in pictures(drawn):
        root = ET.fromstring(picture.svg)  # noqa: S314 - written by this test's own process
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not tags & {"script", "image", "foreignObject", "a"}
        for element in root.iter():
            for name, value in element.attrib.items():
                assert not name.startswith("on")
                if name.rpartition("}")[2] == "href":
                    assert value.startswith("#")
        assert "url(http" not in picture.svg
        assert INK not in picture.svg
        assert "prefers-color-scheme:dark" in picture.svg


def test_files_are_written_in_both_forms(drawn: list[Plot], tmp_path: Path) -> None:
    paths = write_plots(tmp_path / "new", drawn[:1])
    assert [path.name for path in paths] == ["cycles-by-layer.svg", "cycles-by-layer.png"]
    data = paths[1].read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (1382, int(144 * drawn[0].height_inches))


def _command(*more: str) -> list[str]:
    sizes = ("--bits", "4", "--context", "64", "--prefill", "4", "--max-new-tokens", "2")
    return ["simulate", str(CONFIG), "--estimate", *sizes, *more]


def test_the_command_draws_the_same_in_another_process(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    assert main(_command("--json", "--plots", str(folders[0]))) == ExitCode.OK
    command = [sys.executable, "-m", "aretusa", *_command("--json", "--plots", str(folders[1]))]
    other = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)}
    subprocess.run(command, check=True, capture_output=True, env=other)
    names = sorted(path.name for path in folders[0].iterdir())
    drawings = [f"{name}.{form}" for name in NAMES for form in FORMATS]
    assert names == sorted([*drawings, "context.csv"])
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_the_command_starts_without_matplotlib() -> None:
    program = "import aretusa.cli, sys; sys.exit('matplotlib' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("aretusa_sim.plots")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_the_error_names_the_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_command("--plots", str(tmp_path))) == ExitCode.TOOLCHAIN
    captured = capsys.readouterr()
    assert captured.out == ""  # before anything is simulated
    assert "error[E0708]" in captured.err
    assert "pip install 'aretusa[plots]'" in captured.err
    assert main(_command("--json")) == ExitCode.OK  # all else needs none


def test_plots_go_where_one_may_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    assert main(_command("--plots", str(tmp_path / "file"))) == ExitCode.USAGE
