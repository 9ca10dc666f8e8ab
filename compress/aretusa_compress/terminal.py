"""How a run looks in a terminal: bars on stderr with time left and memory, a table at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

import psutil
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Task, TaskID

    from aretusa_compress.results import CompressResult


class _MemoryColumn(ProgressColumn):
    """Memory that the process holds."""

    def render(self, task: Task) -> Text:
        """In GiB."""
        del task
        return Text(f"{psutil.Process().memory_info().rss / 2**30:.1f} GiB")


class Bars:
    """Bars on stderr, only when that is a terminal; lines for people always, unless quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True)
        self._quiet = quiet
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            _MemoryColumn(),
            console=self._console,
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def start(self, what: str, total: int) -> None:
        """An activity begins; the bar of the one before goes."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=total)

    def advance(self, count: int = 1) -> None:
        """So many steps more are done."""
        if self._task is not None:
            self._progress.advance(self._task, count)

    def say(self, line: str) -> None:
        """One line on stderr."""
        if not self._quiet:
            self._console.print(line, markup=False, highlight=False)


def result_lines(result: CompressResult) -> Iterator[str]:
    """A row for the model and for each stage, then where the files are."""
    texts = [one.text for one in result.stages[0].evaluation]
    heads = "".join(f" {text[:9]:>9}" for text in texts)
    yield f"{'stage':<16} {'blocks':>6} {'nonzero':>9} {'stored':>10}{heads} {'time':>9}"
    for stage in result.stages:
        scores = "".join(f" {one.perplexity:>9.2f}" for one in stage.evaluation)
        spent = "kept" if stage.reused else f"{stage.seconds:.1f} s"
        yield (
            f"{stage.name:<16} {stage.blocks:>6} {stage.nonzero / 1e6:>7.1f} M "
            f"{stage.weight_bytes / 2**20:>6.1f} MiB{scores} {spent:>9}"
        )
    if texts:
        yield "perplexity by text; lower is better"
    yield f"memory   {result.peak_bytes / 2**30:.1f} GiB at most, {result.device}"
    yield f"files    {result.checkpoint}"
