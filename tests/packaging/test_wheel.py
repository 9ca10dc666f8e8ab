"""The wheel: what is in it, and that it works where there is no checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
TOP_LEVEL: Final = {"aretusa", "aretusa_sim", "aretusa_compress"}
SHIPPED_MODEL: Final = ROOT / "examples" / "models" / "tiny-orator"

pytestmark = pytest.mark.slow


def _run(command: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", str(folder)]
    _run([*command, str(ROOT)])
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel alone; its dependencies are lent by this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    target = _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--no-deps"]
    _run([*pip, "--no-compile", str(wheel)])
    lender = Path(target.strip()) / "lender.pth"
    # addsitedir would follow the lender's own .pth files, the editable install among them.
    lender.write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return folder


def _aretusa(installed: Path, *arguments: str) -> str:
    command = [str(installed / "bin" / "aretusa"), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(installed)}
    return _run(command, cwd=installed, env=environment)


def test_only_our_names_are_at_the_top(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert "aretusa" in top
    assert top <= TOP_LEVEL
    folders = {path.name for root in ("sim", "compress") for path in (ROOT / root).glob("*/")}
    sources = {name for name in folders & TOP_LEVEL if list(ROOT.glob(f"*/{name}/**/*.py"))}
    assert top == {"aretusa"} | sources


def test_templates_and_runtime_are_in_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("templates", "runtime"):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert files
        inside = {f"aretusa/_data/{path.relative_to(ROOT).as_posix()}" for path in files}
        assert inside - names == set()


def test_every_file_of_the_package_is_in_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "compiler" / "aretusa"
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    inside = {f"aretusa/{path.relative_to(package).as_posix()}" for path in files}
    assert inside - names == set()


def test_no_test_and_no_cache_is_in_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [n for n in names if "test" in n or "__pycache__" in n or n.endswith(".pyc")] == []


def test_the_installed_package_is_not_the_checkout(installed: Path) -> None:
    program = "import aretusa, aretusa.resources as r; print(aretusa.__file__, r.templates_dir())"
    where = _run([str(installed / "bin" / "python"), "-c", program], cwd=installed)
    assert str(ROOT) not in where
    assert "_data" in where


def test_the_command_says_its_version(installed: Path) -> None:
    assert "0.1.0" in _aretusa(installed, "--version")


def test_the_installed_command_inspects_the_shipped_model(installed: Path) -> None:
    report = json.loads(_aretusa(installed, "inspect", str(SHIPPED_MODEL), "--json"))
    assert report


def test_the_installed_command_compiles_the_shipped_model(installed: Path) -> None:
    build = installed / "build"
    _aretusa(installed, "compile", str(SHIPPED_MODEL), "-o", str(build))
    assert list(build.glob("*.bin"))
    assert list(build.glob("*.c"))
