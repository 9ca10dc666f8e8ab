"""The command `eval`: texts and questions for checkpoints and builds alike."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from aretusa.cli_compress import coded, require_compression
from aretusa.cli_options import Bits, Debug, Json, KvBits, Quiet  # noqa: TC001 - typer reads them
from aretusa.cli_table import make_table, write_table
from aretusa.errors import UsageError
from aretusa.manifest import MANIFEST_FILE
from aretusa.options import DEFAULT_KV_BITS, CompileOptions
from aretusa.stage_table import markdown
from aretusa.verbs.program_subject import ProgramSubject
from aretusa_compress.errors import CompressError
from aretusa_compress.evaluation.evaluate import WIKITEXT, EvaluationOptions, evaluate
from aretusa_compress.evaluation.questions import QUIZ, TRIVIA_QA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aretusa_compress.evaluation.answering import Book
    from aretusa_compress.evaluation.results import EvaluationResult
    from aretusa_compress.evaluation.subject import Subject

SubjectPath = Annotated[Path, typer.Argument(help="A build, or a checkpoint (extra compress).")]
Texts = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option("--text", help=f"Text file, or {WIKITEXT}; may be given again."),
]
Questions = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help=f"{QUIZ}, {TRIVIA_QA}, or a JSON Lines file."),
]
Against = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Build or checkpoint: KL divergence and agreement with it."),
]
OptionalInt = Optional[int]  # noqa: UP045
TableOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--table", help="Directory for a table of all stages; SUBJECT is a compression."),
]
Tasks = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Tasks of lm-eval, with commas between them (extra lm-eval)."),
]
TaskDir = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Folder with YAML files of further tasks; what they name is run."),
]
FewShot = Annotated[OptionalInt, typer.Option(min=0, help="Examples before each; as tasks say.")]
Limit = Annotated[OptionalInt, typer.Option(min=1, help="Documents of each task; all.")]
Windows = Annotated[OptionalInt, typer.Option(min=1, help="Of each text; all.")]
BookOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="closed or open; both."),
]


def eval_command(
    subject: SubjectPath,
    text: Texts = None,
    questions: Questions = None,
    against: Against = None,
    window: Annotated[int, typer.Option(min=2, help="Tokens judged together.")] = 512,
    windows: Windows = None,
    book: BookOption = None,
    samples: Annotated[int, typer.Option(min=1, help="Most questions of each book.")] = 1200,
    answer_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 50,
    tasks: Tasks = None,
    task_dir: TaskDir = None,
    few_shot: FewShot = None,
    limit: Limit = None,
    table: TableOption = None,
    bits: Bits = None,
    kv_bits: KvBits = DEFAULT_KV_BITS,
    context: Annotated[OptionalInt, typer.Option(help="Of the chip's program in a table.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Judge how well a checkpoint or a build predicts text, answers questions, solves tasks.

    Example: aretusa eval build/tiny-orator --text examples/models/tiny-orator/heldout.txt
    """
    del debug
    options = EvaluationOptions(
        texts=tuple(text or ()),
        window=window,
        windows=windows,
        questions=questions,
        books=_books(book),
        samples=samples,
        answer_tokens=answer_tokens,
        tasks=_names(tasks),
        task_folder=task_dir,
        few_shot=few_shot,
        limit=limit,
    )
    if table is not None:
        compile_options = CompileOptions(bits=bits, context=context, kv_bits=kv_bits)
        _table(subject, table, options, compile_options, show=(as_json, quiet))
        return
    if not options.texts and questions is None and not options.tasks:
        raise UsageError(
            "E0003",
            "there is nothing to judge by",
            fix=f"Give --text FILE, --questions {QUIZ} or --tasks NAMES, or several of them",
        )
    try:
        result = _evaluated(subject, against, options, is_quiet=quiet or as_json)
    except CompressError as problem:
        raise coded(problem) from problem
    if as_json:
        typer.echo(result.model_dump_json(indent=1))
    else:
        print_evaluation(result, Console())


def _evaluated(
    subject: Path, against: Path | None, options: EvaluationOptions, *, is_quiet: bool
) -> EvaluationResult:
    opened = _open(subject)
    other = None if against is None else _open(against).subject
    with _bar(is_quiet=is_quiet) as progress:
        return evaluate(
            opened.subject,
            options,
            kind=opened.kind,
            device=opened.device,
            other=other,
            progress=progress,
        )


def _table(
    run: Path,
    output: Path,
    options: EvaluationOptions,
    compile_options: CompileOptions,
    *,
    show: tuple[bool, bool],
) -> None:
    """Write the table and print it; questions are asked only if the options name some."""
    as_json, quiet = show

    def accuracy(checkpoint: Path) -> dict[str, float]:
        if options.questions is None:
            return {}
        result = _evaluated(checkpoint, None, replace(options, texts=(), tasks=()), is_quiet=True)
        return {answer.book: answer.accuracy for answer in result.answers}

    try:
        with _bar(is_quiet=as_json or quiet) as progress:
            table = make_table(run, compile_options, accuracy=accuracy, progress=progress)
    except CompressError as problem:
        raise coded(problem) from problem
    files = write_table(output, table)
    if as_json:
        typer.echo(table.model_dump_json(indent=1))
    else:
        typer.echo(markdown(table), nl=False)
        typer.echo("\n".join(map(str, files)), err=True)


def print_evaluation(result: EvaluationResult, console: Console) -> None:
    """Tables for a terminal."""
    console.print(f"{result.subject} ({result.kind}, {result.device})", highlight=False)
    if result.texts:
        _print_texts(result, console)
    if result.answers:
        _print_answers(result, console)
    if result.tasks:
        _print_tasks(result, console)


def _print_texts(result: EvaluationResult, console: Console) -> None:
    table = Table("text", "tokens", "perplexity", "nats", "KL", "same favourite")
    for text in result.texts:
        table.add_row(
            text.text,
            f"{text.tokens:,}",
            f"{text.perplexity:.2f}",
            f"{text.nats:.4f}",
            "" if text.kl_nats is None else f"{text.kl_nats:.4f}",
            "" if text.top1_agreement is None else f"{text.top1_agreement:.1%}",
        )
    console.print(table)
    for text in result.texts:
        if text.block_snr_db:
            levels = " ".join("equal" if x is None else f"{x:.1f}" for x in text.block_snr_db)
            console.print(f"{text.text}, dB behind each block: {levels}", highlight=False)


def _print_answers(result: EvaluationResult, console: Console) -> None:
    table = Table("book", "asked", "right", "exact", "part", "words", "nats of the answer")
    for answer in result.answers:
        table.add_row(
            answer.book,
            f"{answer.asked:,}",
            f"{answer.accuracy:.1%}",
            f"{answer.exact:.1%}",
            f"{answer.substring:.1%}",
            f"{answer.words:.1%}",
            f"{answer.answer_nats:.3f}",
        )
    console.print(table)


def _print_tasks(result: EvaluationResult, console: Console) -> None:
    table = Table("task", "metric", "value", "standard error", "asked", "few-shot")
    for task in result.tasks:
        table.add_row(
            task.task,
            task.metric if task.filter == "none" else f"{task.metric}, {task.filter}",
            f"{task.value:.4f}",
            "" if task.standard_error is None else f"{task.standard_error:.4f}",
            f"{task.asked:,}",
            str(task.few_shot),
        )
    console.print(table)


@dataclass(frozen=True, slots=True)
class _Opened:
    subject: Subject
    kind: Literal["float", "program"]
    device: str


def _open(path: Path) -> _Opened:
    """A build by its manifest, anything else as a checkpoint for PyTorch."""
    if (path / MANIFEST_FILE).is_file():
        return _Opened(ProgramSubject.open(path), "program", "NumPy, integers")
    require_compression()
    from aretusa_compress.evaluation.open_checkpoint import open_subject  # noqa: PLC0415 - torch

    subject = open_subject(path)
    return _Opened(subject, "float", subject.device)


def _names(tasks: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (tasks or "").split(",") if name.strip())


def _books(book: str | None) -> tuple[Book, ...]:
    match book:
        case None:
            return ("closed", "open")
        case "closed" | "open":
            return (book,)
        case _:
            raise UsageError("E0003", f"there is no book {book!r}", fix="Choose closed or open")


@contextmanager
def _bar(*, is_quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each text and book on stderr, only when that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    is_hidden = is_quiet or not sys.stderr.isatty()
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=is_hidden
    ) as bar:
        tasks: dict[str, object] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)  # type: ignore[arg-type]

        yield show
