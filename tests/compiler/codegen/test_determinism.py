"""The same input gives the same bytes: another process, hash seed, directory, locale or day."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tiny_models import compile_tiny

import aretusa

PACKAGES = Path(aretusa.__file__).parents[1]


def contents(build: Path) -> dict[str, bytes]:
    return {
        path.relative_to(build).as_posix(): path.read_bytes()
        for path in sorted(build.rglob("*"))
        if path.is_file()
    }


def compile_elsewhere(model: Path, build: Path, cwd: Path, **environment: str) -> None:
    cwd.mkdir(parents=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "aretusa", "compile", os.path.relpath(model, cwd)),
            *("-o", os.path.relpath(build, cwd), "--context", "64", "--chunk", "8"),
        ],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(PACKAGES)} | environment,
        check=True,
        capture_output=True,
    )


def test_two_compiles_are_equal_byte_for_byte(tiny_model: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "some where" / "else"
    first = {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}
    second = {
        "PYTHONHASHSEED": "77",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
    }
    compile_elsewhere(tiny_model, one, tmp_path / "a", **first)
    compile_elsewhere(tiny_model, two, tmp_path / "b" / "c", **second)
    assert contents(one).keys() == contents(two).keys()
    differing = [name for name, data in contents(one).items() if contents(two)[name] != data]
    assert differing == []


def test_the_same_process_compiles_the_same_twice(tiny_model: Path, tmp_path: Path) -> None:
    one = compile_tiny(tiny_model, tmp_path / "one")
    two = compile_tiny(tiny_model, tmp_path / "two")
    assert contents(one) == contents(two)


def test_no_file_names_the_machine(tiny_model: Path, tmp_path: Path) -> None:
    build = compile_tiny(tiny_model, tmp_path / "build")
    for name, data in contents(build).items():
        for path in (tmp_path, tiny_model, PACKAGES):
            assert str(path).encode() not in data, name
