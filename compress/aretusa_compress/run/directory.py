"""RunDirectory: where a run keeps its stages, each there as a whole or not at all."""

from __future__ import annotations

import fcntl
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from aretusa_compress.errors import UsageError
from aretusa_compress.run.fingerprint import file_digests
from aretusa_compress.run.state import StageState, replace_file, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aretusa_compress.recipe.schema import Recipe

RECORD: Final = "stage.json"  # in the directory of a stage: what it was made from
RECIPE: Final = "recipe.yaml"
RESULT: Final = "result.json"
SCHEMA_VERSION: Final = 1
_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A locked directory. Stages are `1-depth`, `2-width`, ...; a dot begins what is in work."""

    path: Path

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[RunDirectory]:
        """The directory, for this process alone. Raises UsageError E0002 or E0504."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            names = {entry.name for entry in path.iterdir()}
            if names and not names & {_LOCK, RECIPE}:
                raise _unusable(path, "it holds files that no run of aretusa compress wrote")
            lock = (path / _LOCK).open("a")
        except OSError as problem:
            raise _unusable(path, str(problem)) from problem
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as problem:
                raise UsageError(
                    "E0504",
                    "another run works in this directory",
                    file=path,
                    fix="Wait for it, or give -o another directory",
                ) from problem
            yield cls(path)

    def write_recipe(self, recipe: Recipe) -> None:
        """Keep the recipe with all its defaults written out; it can be run again as it is."""
        text = yaml.safe_dump(recipe.document(), sort_keys=False, allow_unicode=True)
        replace_file(self.path / RECIPE, lambda part: part.write_text(text, "utf-8"))

    def write_result(self, text: str) -> None:
        """Keep the result of the run."""
        replace_file(self.path / RESULT, lambda part: part.write_text(text, "utf-8"))

    def stage(self, name: str) -> Path:
        """Where the checkpoint of a stage lies."""
        return self.path / name

    def record(self, name: str) -> dict[str, Any] | None:
        """What the stage said about itself, if it is there and whole."""
        directory = self.stage(name)
        try:
            record = json.loads((directory / RECORD).read_text("utf-8"))
            digests = file_digests(directory, record["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record if digests == record["files"] else None

    def state(self, name: str, fingerprint: str) -> StageState:
        """What the stage keeps while it works."""
        return StageState(self.path / f".state-{name}", fingerprint)

    def begin(self, name: str) -> Path:
        """An empty directory for the stage to write into."""
        part = self.path / f".part-{name}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        return part

    def finish(self, name: str, record: dict[str, Any]) -> None:
        """Put what `begin` gave in the place of the stage, in one step."""
        part = self.path / f".part-{name}"
        record = {**record, "files": file_digests(part)}
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        replace_file(part / RECORD, lambda file: file.write_text(text, "utf-8"))
        for path in part.iterdir():
            path.chmod(0o644)
            sync(path)
        sync(part)
        old = self.path / f".old-{name}"
        shutil.rmtree(old, ignore_errors=True)
        if self.stage(name).exists():
            self.stage(name).rename(old)
        part.rename(self.stage(name))
        sync(self.path)
        shutil.rmtree(old, ignore_errors=True)


def _unusable(path: Path, why: str) -> UsageError:
    return UsageError(
        "E0002",
        "the output path cannot take a run",
        file=path,
        why=why,
        fix="Give -o a directory that is absent, empty or an earlier run",
    )
