"""The report of a build with pictures of its simulation."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode
from pathlib import Path
from typing import Final

import pytest

from aretusa.cli import main
from aretusa.driver import compile_model
from aretusa.errors import ExitCode
from aretusa.options import CompileOptions
from aretusa_sim.build_timing import Length, time_build

MODEL: Final = Path(__file__).resolve().parents[2] / "examples" / "models" / "tiny-orator"
IMAGE: Final = re.compile(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]+)"')


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("builds") / "build"
    compile_model(MODEL, path, CompileOptions(bits=4, context=32, chunk=4))
    return path


def test_a_report_has_the_pictures_of_the_plans_request(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(build), "-o", str(tmp_path), "--json"]) == ExitCode.OK
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == ["report.html", "report.json", "layers.csv", "regions.csv", "tiers.csv"]
    found = IMAGE.findall((tmp_path / "report.html").read_text("utf-8"))
    assert [title for _, title in found] == [
        "What the cycles of each layer consist of",
        "Rooflines",
        "Where the energy goes",
        "Speed against the length of the context",
        "Memory over time",
    ]
    assert all(b64decode(data).startswith(b"<?xml") for data, _ in found)
    asked = json.loads((tmp_path / "report.json").read_text("utf-8"))["options"]
    length = Length(prefill_tokens=asked["prefill_tokens"], decode_tokens=asked["decode_tokens"])
    timed = time_build(build, length).result
    assert timed.phase("prefill").tokens == asked["prefill_tokens"]
    linear = timed.limits.phase("decode").linear.fraction
    assert linear is not None
    page = (tmp_path / "report.html").read_text("utf-8")
    assert f"reach {100 * linear:.0f} % of the limit of the weight port" in page


def test_pictures_can_be_left_out(build: Path, tmp_path: Path) -> None:
    assert main(["report", str(build), "-o", str(tmp_path), "--no-plots"]) == ExitCode.OK
    assert "<img" not in (tmp_path / "report.html").read_text("utf-8")


def test_without_matplotlib_there_is_a_note(
    build: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("aretusa_sim.plots")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["report", str(build), "-o", str(tmp_path)]) == ExitCode.OK
    note = capsys.readouterr().err
    assert note.startswith("note: no pictures of a simulation: plots need matplotlib")
    assert "pip install 'aretusa[plots]'" in note
    assert "<img" not in (tmp_path / "report.html").read_text("utf-8")
    assert main(["report", str(build), "-o", str(tmp_path), "--plots"]) == ExitCode.TOOLCHAIN
    assert "error[E0708]" in capsys.readouterr().err


def test_what_is_no_build_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == ExitCode.USAGE
    assert "error[E0005]" in capsys.readouterr().err
