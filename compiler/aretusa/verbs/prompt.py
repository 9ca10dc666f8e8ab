"""What a user asks a model -> the segments of a request, and the same as ids on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.errors import UnsupportedError
from aretusa.execution.request import IdSegment, Segment, TextSegment
from aretusa.tokenizer.chat import SMOLLM2_SYSTEM, chatml_segments
from aretusa.tokenizer.encode import encode

if TYPE_CHECKING:
    from aretusa.program import Program
    from aretusa.tokenizer.model import TokenizerModel

# Verification needs a text of any kind that is long enough for its prompt.
NEUTRAL_TEXT: Final = (
    "The ship left the harbour at dawn, and the people on the shore waved until its sails were no "
    "larger than a gull. In 1851 nobody could say how long the voyage would last; the captain, who "
    "had counted 37 winters at sea, said only that the wind was fair and that the year was young. "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Plain text, or a question in ChatML if `chat`."""

    text: str
    chat: bool = False
    system: str = SMOLLM2_SYSTEM

    def segments(self, program: Program) -> tuple[Segment, ...]:
        """Parts of the request; only the chat format's own parts may spell special tokens."""
        if not self.chat:
            return (TextSegment(self.text, begin=True),)
        if not program.manifest.model.has_chatml:
            raise UnsupportedError(
                "E0224",
                "the model's tokenizer has no ChatML tokens",
                file=program.build,
                fix="Leave out --chat",
            )
        parts = chatml_segments(self.text, self.system)
        return tuple(
            TextSegment(part.text, special=part.parses_special, begin=index == 0)
            for index, part in enumerate(parts)
        )


def encode_segments(model: TokenizerModel, segments: tuple[Segment, ...]) -> list[int]:
    """Ids of a prompt as the host encodes it."""
    ids: list[int] = []
    for segment in segments:
        match segment:
            case IdSegment(ids=own):
                ids.extend(own)
            case TextSegment(text=text, special=special, begin=begin):
                ids.extend(encode(model, text, parse_special=special, add_bos=begin))
    return ids


def neutral_prompt(model: TokenizerModel, count: int) -> list[int]:
    """Exactly `count` ids of ordinary text."""
    ids = encode(model, NEUTRAL_TEXT)
    while len(ids) < count:
        ids.extend(encode(model, NEUTRAL_TEXT, add_bos=False))
    return ids[:count]
