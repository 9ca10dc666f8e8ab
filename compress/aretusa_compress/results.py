"""What a run returns: the same object that `--json` prints."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1


class Record(BaseModel):
    """An immutable record of a document."""

    model_config = ConfigDict(frozen=True)


class Perplexity(Record):
    """Of one evaluation text."""

    text: str
    tokens: int
    nats: float
    perplexity: float


class StageResult(Record):
    """One stage; the first record of a run is the model before any stage."""

    name: str
    checkpoint: str
    reused: bool
    seconds: float
    fingerprint: str
    weight_bytes: int
    parameters: int
    nonzero: int
    blocks: int
    report: dict[str, Any]
    evaluation: list[Perplexity]


class CompressResult(Record):
    """A run: the model and its stages. `checkpoint` is what the last of them wrote."""

    schema_version: int = SCHEMA_VERSION
    verb: Literal["compress"] = "compress"
    directory: str
    checkpoint: str
    device: str
    threads: int
    free_bytes: int
    need_bytes: dict[str, int]
    peak_bytes: int
    libraries: dict[str, str]
    stages: list[StageResult]
