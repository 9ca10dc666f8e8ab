"""Texts: the texts of a recipe by role, read once, as windows for the tokenizer at hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aretusa_compress.errors import UsageError
from aretusa_compress.model.guard import TOKENIZER
from aretusa_compress.run.fingerprint import file_digest, text_digest
from aretusa_compress.texts.options import QuestionOptions, Source, TextOptions
from aretusa_compress.texts.sources import read_questions, read_text
from aretusa_compress.texts.windows import (
    Examples,
    encode,
    ids_needed,
    question_examples,
    read_tokenizer,
    text_examples,
    text_windows,
)

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from aretusa_compress.texts.options import DataOptions


@dataclass(slots=True)
class Texts:
    """Texts by role: `calibration`, `training`, `evaluation.NAME`."""

    data: DataOptions
    seed: int
    _read: dict[str, Any] = field(default_factory=dict)

    def options(self, role: str) -> TextOptions | QuestionOptions:
        """What the recipe says. Raises UsageError E0505 where it says nothing."""
        group, _, name = role.partition(".")
        found = self.data.evaluation.get(name) if name else getattr(self.data, group)
        if found is None:
            raise UsageError(
                "E0505",
                f"the recipe has no data.{role}",
                why="a stage needs it",
                fix=f"Add data: {{{group}: {{files: [my-text.txt], samples: 128}}}} to the recipe",
            )
        assert isinstance(found, TextOptions | QuestionOptions)
        return found

    def inputs(self, role: str) -> dict[str, Any]:
        """What results depend on: the text itself and how windows are taken from it."""
        options = self.options(role)
        content = self._content(role, options)
        text = content if isinstance(content, str) else json.dumps(content, sort_keys=True)
        chosen = options.model_dump(mode="json", exclude=set(Source.model_fields))
        return {"sha256": text_digest(text), **chosen}

    def windows(self, role: str, checkpoint: Path) -> Tensor:
        """Ids [samples, tokens] in the vocabulary of a checkpoint."""
        options = self.options(role)
        assert isinstance(options, TextOptions), f"{role} is made of questions"
        place = checkpoint / TOKENIZER
        text = self._content(role, options)
        ids = _encoded(text, place, file_digest(place), ids_needed(options))
        return text_windows(ids, options, seed=self.seed, role=role)

    def examples(self, role: str, checkpoint: Path) -> Examples:
        """Ids and targets to train on."""
        options = self.options(role)
        if isinstance(options, TextOptions):
            return text_examples(self.windows(role, checkpoint))
        tokenizer = read_tokenizer(checkpoint)
        records = self._content(role, options)
        return question_examples(records, tokenizer, options, seed=self.seed)

    def _content(self, role: str, options: TextOptions | QuestionOptions) -> Any:  # noqa: ANN401
        if role not in self._read:
            self._read[role] = (
                read_questions(options)
                if isinstance(options, QuestionOptions)
                else read_text(options)
            )
        return self._read[role]


# A comparison makes many runs with the same texts; ten megabytes take a tokenizer some ten seconds.
@lru_cache(maxsize=4)
def _encoded(text: str, place: Path, digest: str, needed: int | None) -> list[int]:
    """Ids of a text; `digest` is that of the tokenizer's file at `place`."""
    del digest
    return encode(text, read_tokenizer(place.parent), needed)
