"""The command: presets, results and errors as lines and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from tiny_runs import DEPTH, tiny_document

from aretusa.cli import main
from aretusa.errors import ExitCode

if TYPE_CHECKING:
    from typing import Any


def recipe_file(folder: Path, **changes: Any) -> str:  # noqa: ANN401
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(tiny_document(folder, [DEPTH], **changes)))
    return str(path)


def test_a_run_prints_a_table_that_ends_with_the_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "run")
    assert main(["compress", recipe_file(tmp_path), "-o", output]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["stage", "blocks", "nonzero", "stored", "time"]
    assert [line.split()[0] for line in lines[1:3]] == ["model", "1-depth"]
    assert lines[-1] == f"files    {output}/1-depth"
    assert max(map(len, lines[:-1])) <= 80


def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compress", recipe_file(tmp_path), "-o", str(tmp_path / "run"), "--json"]
    assert main([*arguments, "--set", "stages.1.remove=2"]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert [stage["blocks"] for stage in document["stages"]] == [5, 3]
    assert document["checkpoint"] == document["stages"][1]["checkpoint"]
    assert Path(document["checkpoint"], "model.safetensors").is_file()


def test_presets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "--list-presets"]) == ExitCode.OK
    names = capsys.readouterr().out.splitlines()
    assert "smollm2/wanda2:4" in names
    assert main(["compress", "--list-presets", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["presets"] == names


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nowhere.yaml", "-o", "x"], "E0001"),
        (["llama/depth2", "-o", "x"], "E0502"),
        (["smollm2/depth3"], "E0003"),
        ([], "E0003"),
        (["smollm2/depth3", "-o", "x", "--set", "seeed=1"], "E0501"),
        (["smollm2/depth3", "-o", "x", "--set", "model=none.gguf"], "E0001"),
    ],
)
def test_errors_are_one_line_and_one_document(
    arguments: list[str],
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compress", *arguments, "--json"]) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error[{code}]: ")
    assert len(captured.err.splitlines()) == 1
    assert json.loads(captured.out)["error"]["code"] == code


def test_a_lack_of_memory_says_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("aretusa_compress.run.before.free_bytes", lambda _: 10**6)
    code = main(["compress", recipe_file(tmp_path), "-o", str(tmp_path / "run")])
    assert code == ExitCode.CAPACITY
    error = capsys.readouterr().err
    assert error.startswith("error[E0507]: the stage 1-depth (libraries ")
    assert "this computer's memory, which has 1,000,000 free" in error
