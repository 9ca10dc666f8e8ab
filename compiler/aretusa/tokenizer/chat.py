"""ChatML, the conversation format of SmolLM2-Instruct, without running any template of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.errors import UnsupportedError
from aretusa.tokenizer.encode import encode

if TYPE_CHECKING:
    from aretusa.tokenizer.model import TokenizerModel

SMOLLM2_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
_START, _END = "<|im_start|>", "<|im_end|>"


@dataclass(frozen=True, slots=True)
class Segment:
    """Text of one origin; only the format's own may spell special tokens."""

    text: str
    parses_special: bool


def chatml_segments(user: str, system: str | None = SMOLLM2_SYSTEM) -> list[Segment]:
    """One question in parts. A role stays with its text, as their letters may share a token."""
    segments: list[Segment] = []
    for role, text in _turns(user, system):
        start = f"{_END}\n{_START}" if segments else _START
        segments += [
            Segment(start, parses_special=True),
            Segment(f"{role}\n{text}", parses_special=False),
        ]
    return [
        *segments,
        Segment(f"{_END}\n{_START}", parses_special=True),
        Segment("assistant\n", parses_special=False),
    ]


def format_chatml(user: str, system: str | None = SMOLLM2_SYSTEM) -> str:
    """One question as text, for people to read; `encode_chatml` is what a model gets."""
    return "".join(segment.text for segment in chatml_segments(user, system))


def encode_chatml(
    model: TokenizerModel, user: str, system: str | None = SMOLLM2_SYSTEM
) -> list[int]:
    """The ids of one question. No text can end its own turn: it is never parsed for tokens."""
    special = {token.content for token in model.added if token.is_special}
    if not special.issuperset((_START, _END)):
        raise UnsupportedError(
            "E0222",
            f"the tokenizer has no special tokens {_START} and {_END}",
            fix="Give the prompt as plain text.",
        )
    ids = list(model.bos_ids)
    for segment in chatml_segments(user, system):
        parses = segment.parses_special
        ids += encode(model, segment.text, parse_special=parses, add_bos=False)
    return ids


def _turns(user: str, system: str | None) -> list[tuple[str, str]]:
    turns = [] if system is None else [("system", system)]
    return [*turns, ("user", user)]
