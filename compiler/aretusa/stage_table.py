"""Rows of an ablation table: what each stage of a compression costs and what it leaves."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from aretusa.manifest import SCHEMA_VERSION, Record
from aretusa.version import TOOL

if TYPE_CHECKING:
    from collections.abc import Sequence

Count = Annotated[int, Field(ge=0)]
MIB = 1 << 20


class StageRow(Record):
    """One checkpoint of a run: what it holds, how good it is, what it costs on the chip."""

    stage: str = Field(description="directory of the stage; `model` is what the run began with")
    parameters: Count = Field(description="of the checkpoint; codes and scales count as stored")
    nonzero: Count = Field(description="those of them that are not zero")
    stored_bytes: Count = Field(description="of its weight files")
    memory_bytes: dict[str, Count] = Field(
        description="most bytes alive in each memory of the chip"
    )
    perplexity: dict[str, float] = Field(description="by evaluation text")
    accuracy: dict[str, float] = Field(description="by book, share of questions answered")
    tokens_per_second: float = Field(description="of decode, simulated; 0 if it does not fit")
    uj_per_token: float = Field(description="of decode, simulated, nominal")
    uj_low: float = Field(description="with every constant at its low end")
    uj_high: float = Field(description="with every constant at its high end")
    note: str = Field(description="why numbers are missing, or empty")


class StageTable(Record):
    """The stages of one run, in order."""

    schema_version: int = Field(default=SCHEMA_VERSION, description="of this document")
    verb: Literal["eval"] = Field(default="eval", description="the command")
    tool: str = Field(default=TOOL, description="name and version")
    run: str = Field(description="directory of the run")
    weights: str = Field(description="how weights that are real numbers are stored on the chip")
    context: Count = Field(description="positions of the KV cache")
    kv_bits: str = Field(description="of cached keys and values, as --kv-bits writes them")
    rows: list[StageRow] = Field(description="the model, then its stages")


def columns(table: StageTable) -> list[str]:
    """Titles of the columns."""
    return [title for title, _ in _cells(table, table.rows[0])]


def markdown(table: StageTable) -> str:
    """The table for a page."""
    titles = columns(table)
    lines = [_line(titles), _line(["---", *["---:"] * (len(titles) - 1)])]
    lines += [_line([cell for _, cell in _cells(table, row)]) for row in table.rows]
    notes = [f"{row.stage}: {row.note}" for row in table.rows if row.note]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def csv_text(table: StageTable) -> str:
    """The numbers with full precision, a row for each stage."""
    texts, books = _names(table)
    memories = _memories(table)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    plain = ["parameters", "nonzero", "stored_bytes"]
    speed = ["tokens_per_second", "uj_per_token", "uj_low", "uj_high", "note"]
    writer.writerow(
        [
            "stage",
            *plain,
            *(f"{memory}_bytes" for memory in memories),
            *(f"perplexity_{text}" for text in texts),
            *(f"accuracy_{book}" for book in books),
            *speed,
        ]
    )
    for row in table.rows:
        writer.writerow(
            [
                row.stage,
                *(getattr(row, name) for name in plain),
                *(row.memory_bytes.get(memory, "") for memory in memories),
                *(row.perplexity.get(text, "") for text in texts),
                *(row.accuracy.get(book, "") for book in books),
                *(getattr(row, name) for name in speed),
            ]
        )
    return out.getvalue()


def _cells(table: StageTable, row: StageRow) -> list[tuple[str, str]]:
    """Title and text of each column."""
    texts, books = _names(table)
    fits = row.tokens_per_second > 0
    return [
        ("stage", row.stage),
        ("parameters", f"{row.parameters / 1e6:,.2f} M"),
        ("not zero", f"{row.nonzero / 1e6:,.2f} M"),
        ("stored", f"{row.stored_bytes / MIB:,.1f} MiB"),
        *(
            (f"{memory.upper()} MiB", _mib(row.memory_bytes.get(memory)))
            for memory in _memories(table)
        ),
        *((f"ppl {text}", _number(row.perplexity.get(text), ".2f")) for text in texts),
        *((f"{book} book", _number(row.accuracy.get(book), ".1%")) for book in books),
        ("tokens/s", f"{row.tokens_per_second:,.2f}" if fits else ""),
        (
            "uJ/token",
            f"{row.uj_per_token:,.0f} ({row.uj_low:,.0f} to {row.uj_high:,.0f})" if fits else "",
        ),
    ]


def _names(table: StageTable) -> tuple[list[str], list[str]]:
    texts = dict.fromkeys(text for row in table.rows for text in row.perplexity)
    books = dict.fromkeys(book for row in table.rows for book in row.accuracy)
    return list(texts), list(books)


def _memories(table: StageTable) -> list[str]:
    return list(dict.fromkeys(memory for row in table.rows for memory in row.memory_bytes))


def _mib(count: int | None) -> str:
    return "" if count is None else f"{count / MIB:,.2f}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
