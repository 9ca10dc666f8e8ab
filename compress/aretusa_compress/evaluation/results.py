"""What an evaluation is: the document behind the tables and `--json`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Final = 1

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """Immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TextResult(Record):
    """How well one text is predicted."""

    text: str = Field(description="name of the file or of the data set")
    window: Count = Field(description="tokens of a window, each started anew")
    tokens: Count = Field(description="judged: all but the first of each window")
    perplexity: float = Field(description="exp of the mean negative log-likelihood")
    nats: float = Field(description="that mean, per token")
    kl_nats: float | None = Field(description="KL(other || subject) per token; null without other")
    top1_agreement: Share | None = Field(description="tokens with the same favourite successor")
    block_snr_db: list[float | None] = Field(
        default=[],
        description="other's hidden states over the deviation behind each block, in the first "
        "window; null without deviation, empty without other or with other blocks",
    )


class AnswerResult(Record):
    """How well questions are answered, from memory or from a context."""

    questions: str = Field(description="name of the file or of the data set")
    book: Literal["closed", "open"] = Field(description="without or with a context")
    asked: Count = Field(description="questions")
    left_out: Count = Field(description="because prompt and answer exceed the context")
    accuracy: Share = Field(description="answered in any of the three tiers")
    exact: Share = Field(description="equal to an accepted answer after normalising")
    substring: Share = Field(description="not equal, but an accepted answer is part of it")
    words: Share = Field(description="neither, but 80 % of the words of an accepted answer")
    answer_nats: float = Field(description="negative log-likelihood per token of the usual answer")


class TaskResult(Record):
    """One number of a task of lm-eval."""

    task: str = Field(description="as lm-eval names it")
    metric: str = Field(description="such as acc, acc_norm, word_perplexity")
    filter: str = Field(description="what answers went through before they were judged")
    value: float = Field(description="of the metric")
    standard_error: float | None = Field(description="of the value; null where there is none")
    asked: Count = Field(description="documents")
    few_shot: Count = Field(description="examples before each question")
    version: str = Field(description="of the task")


class EvaluationResult(Record):
    """Quality of one subject."""

    schema_version: int = Field(default=SCHEMA_VERSION, description="of this document")
    verb: Literal["eval"] = Field(default="eval", description="the command")
    subject: str = Field(description="checkpoint or build")
    kind: Literal["float", "program"] = Field(description="torch, or the compiled integers")
    other: str | None = Field(description="what it is compared with")
    device: str = Field(description="what computed it")
    texts: list[TextResult] = Field(description="in the order asked for")
    answers: list[AnswerResult] = Field(description="closed, then open book")
    tasks: list[TaskResult] = Field(default=[], description="of lm-eval, in the order asked for")
