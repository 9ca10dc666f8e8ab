"""Windows of tokens: what stages see of a text."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from tokenizers import Tokenizer

from aretusa_compress.errors import ModelError, UsageError
from aretusa_compress.model.guard import TOKENIZER
from aretusa_compress.texts.options import Pick
from aretusa_compress.texts.prompts import question_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from torch import Tensor

    from aretusa_compress.texts.options import QuestionOptions, TextOptions

NO_TARGET: Final = -100  # a token that is read but not learnt: the mark of torch's cross_entropy
_CHARACTERS_AT_ONCE: Final = 1 << 20  # more in one call of the tokenizer only takes memory


@dataclass(frozen=True, slots=True)
class Examples:
    """What is trained on: ids and targets, both [count, length]; NO_TARGET where nothing is."""

    ids: Tensor
    targets: Tensor


def read_tokenizer(directory: Path) -> Tokenizer:
    """The tokenizer of a checkpoint, without truncation or padding. Raises ModelError E0220."""
    path = directory / TOKENIZER
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as problem:
        raise ModelError(
            "E0220",
            "the tokenizer cannot be read",
            file=path,
            why=str(problem)[:120],
            fix="Save the tokenizer into the directory in the fast (tokenizer.json) form",
        ) from problem
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def text_windows(ids: Sequence[int], options: TextOptions, *, seed: int, role: str) -> Tensor:
    """Ids [samples, tokens] of windows that do not overlap. Raises UsageError E0230 if too few.

    A rest at the end of the text is left out.
    """
    length = options.tokens
    count = len(ids) // length
    wanted = count if options.samples is None else options.samples
    if count < max(wanted, 1):
        raise UsageError(
            "E0230",
            f"the text for {role} is too short: {len(ids):,} tokens",
            why=f"{count} windows of {length}, {max(wanted, 1)} are asked for",
            fix=f"Give more text, or lower samples or tokens of data.{role}",
        )
    chosen: Sequence[int] = range(wanted)
    if options.pick is Pick.RANDOM:
        chosen = sorted(random.Random(seed).sample(range(count), wanted))  # noqa: S311
    rows = [ids[index * length : (index + 1) * length] for index in chosen]
    return torch.tensor(rows, dtype=torch.int64)


def ids_needed(options: TextOptions) -> int | None:
    """How many ids at the beginning of a text windows are taken from; None: all of them."""
    if options.samples is None or options.pick is Pick.RANDOM:
        return None
    return options.samples * options.tokens


def text_examples(windows: Tensor) -> Examples:
    """Language modelling: every token but the first of a window is a target."""
    targets = windows.clone()
    targets[:, 0] = NO_TARGET
    return Examples(windows, targets)


def question_examples(
    records: Sequence[dict[str, Any]], tokenizer: Tokenizer, options: QuestionOptions, *, seed: int
) -> Examples:
    """Question answering: the first answer is the target, what comes before it is read.

    Questions that do not fit `tokens` are left out. Raises UsageError E0230 if none is left.
    """
    rows = [row for record in records if (row := _question_row(record, tokenizer, options))]
    if options.samples is not None and len(rows) > options.samples:
        rows = random.Random(seed).sample(rows, options.samples)  # noqa: S311
    if not rows:
        raise UsageError(
            "E0230",
            f"no question fits {options.tokens} tokens",
            fix="Raise data.training.tokens, or set open_book to false",
        )
    length = max(len(found) for found, _ in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.int64)
    targets = torch.full((len(rows), length), NO_TARGET)
    for index, (found, read) in enumerate(rows):
        ids[index, : len(found)] = torch.tensor(found)
        targets[index, read : len(found)] = torch.tensor(found[read:])
    return Examples(ids, targets)


def _question_row(
    record: dict[str, Any], tokenizer: Tokenizer, options: QuestionOptions
) -> tuple[list[int], int] | None:
    """Ids of prompt and answer, and how many are prompt; None if they are too many."""
    if options.open_book and "context" not in record:
        return None
    prompt = question_prompt(record["question"], record["context"] if options.open_book else None)
    before = tokenizer.encode(prompt, add_special_tokens=False).ids
    after = tokenizer.encode(f" {record['answers'][0]}\n", add_special_tokens=False).ids
    ids = [*before, *after]
    return (ids, len(before)) if len(ids) <= options.tokens else None


def encode(text: str, tokenizer: Tokenizer, needed: int | None) -> list[int]:
    """Ids of a text, without special tokens; of its beginning if only `needed` ids matter.

    A long text is encoded in pieces that end with a line, so that memory stays bounded; a token may
    differ from the encoding in one piece only where two pieces meet.
    """
    ids: list[int] = []
    start = 0
    while start < len(text) and (needed is None or len(ids) < needed):
        end = text.rfind("\n", start, start + _CHARACTERS_AT_ONCE) + 1
        if end <= start or start + _CHARACTERS_AT_ONCE >= len(text):
            end = min(start + _CHARACTERS_AT_ONCE, len(text))
        ids += tokenizer.encode(text[start:end], add_special_tokens=False).ids
        start = end
    return ids if needed is None else ids[:needed]
