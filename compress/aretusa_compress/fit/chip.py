"""Chip: what a model costs on the target, asked of the simulator in a process of its own.

The two programs meet in files: configurations go out, a line of JSON comes back for each.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.errors import ToolchainError
from aretusa_compress.model.guard import CONFIG, TOKENIZER
from aretusa_compress.run.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aretusa_compress.fit.options import FitOptions
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState

_WORKER: Final = "aretusa_sim.weight_prices"
_KEPT: Final = "prices"
Answer = dict[str, Any]  # a Priced of the worker, or what is short (`shortage`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """Prices configurations of the model in `source`; answers lie in `state`."""

    source: Path
    options: FitOptions
    state: StageState
    progress: Progress

    def answers(self, what: str, configs: Sequence[dict[str, Any]]) -> list[Answer]:
        """One for each configuration. Raises ToolchainError E0541 if the simulator fails."""
        kept: dict[str, Answer] = self.state.read_json(_KEPT) or {}
        keys = [fingerprint(config) for config in configs]
        missing = {
            key: config for key, config in zip(keys, configs, strict=True) if key not in kept
        }
        self.progress.start(what, len(configs))
        self.progress.advance(len(configs) - len(missing))
        for key, answer in zip(missing, self._asked(list(missing.values())), strict=True):
            kept[key] = answer
            self.state.write_json(_KEPT, kept)
            self.progress.advance()
        return [kept[key] for key in keys]

    def _asked(self, configs: list[dict[str, Any]]) -> Iterator[Answer]:
        if not configs:
            return
        with tempfile.TemporaryDirectory() as folder:
            models = [
                _written(Path(folder) / str(number), config, self.source)
                for number, config in enumerate(configs)
            ]
            job = Path(folder) / "job.json"
            job.write_text(json.dumps({"models": models, **self._request()}), "utf-8")
            yield from _answers([sys.executable, "-m", _WORKER, str(job)])

    def _request(self) -> dict[str, Any]:
        names = ("target", "chunk", "prefill_tokens", "decode_tokens")
        return {name: getattr(self.options, name) for name in names}


def _written(folder: Path, config: dict[str, Any], source: Path) -> str:
    """A directory with the configuration and the tokenizer, whose image has its size."""
    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps(config), "utf-8")
    if (source / TOKENIZER).is_file():
        shutil.copyfile(source / TOKENIZER, folder / TOKENIZER)
    return str(folder)


def _answers(command: list[str]) -> Iterator[Answer]:
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for line in process.stdout:
                yield _checked(json.loads(line))
        except BaseException:
            process.kill()
            raise
        words = process.stderr.read().strip()
        if process.wait() != 0:
            raise _failed(words.splitlines()[-1] if words else "it said nothing")


def _checked(answer: Answer) -> Answer:
    if "error" in answer:
        raise _failed(str(answer["error"]))
    return answer


def _failed(why: str) -> ToolchainError:
    return ToolchainError(
        "E0541",
        "the simulator could not say what the model costs",
        why=why[:300],
        fix="Try `aretusa simulate MODEL --estimate`, and give a target that it knows",
    )
