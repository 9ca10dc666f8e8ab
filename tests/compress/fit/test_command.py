"""`aretusa compress MODEL --fit`: from the command line to a checkpoint, and slips on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tiny_runs import tiny_document, write_tiny

from aretusa.cli import main
from aretusa.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


def test_a_model_is_fitted_by_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_tiny(tmp_path / "model", layers=1)
    text = tiny_document(tmp_path / "other", [])["data"]["calibration"]["files"][0]
    calibration = f"data.calibration={{files: [{text}], samples: 3, tokens: 16}}"
    options = "{widths: [2, 4, 8], samples: 1, swaps: 1, front: 0, chunk: 1, budgets: [bits<=4]}"
    arguments = ["compress", str(model), "--fit", "siracusa", "--budget", "bits<=4"]
    changes = ["--set", calibration, "--set", f"stages=[{{fit: {options}}}]"]
    output = tmp_path / "run"
    assert main([*arguments, *changes, "-o", str(output), "--json"]) == ExitCode.OK
    report = json.loads(capsys.readouterr().out)["stages"][1]["report"]
    assert report["predicted"]["bits"] <= 4
    assert report["simulated"]["tokens_per_s"] > 0
    assert (output / "1-fit" / "policy.toml").is_file()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["model", "--fit", "siracusa", "-o", "x"], "--fit needs a budget"),
        (["model", "--budget", "bits<=5", "-o", "x"], "--budget means nothing without --fit"),
        (["model", "--fit", "siracusa", "--budget", "5", "-o", "x"], "is no budget"),
        (["--fit", "siracusa", "--budget", "bits<=5", "-o", "x"], "a recipe and -o DIR"),
    ],
)
def test_slips_are_one_line(
    arguments: list[str],
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compress", *arguments, "--json"]) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.err.startswith("error[E0003]: ")
    assert part in captured.err
    assert json.loads(captured.out)["error"]["code"] == "E0003"
