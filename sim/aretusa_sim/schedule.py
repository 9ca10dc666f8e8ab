"""Which steps a program runs: prefill in chunks; the head behind the last of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class PrefillStep:
    """`tokens` of the prompt from `position` on."""

    tokens: int
    position: int
    has_head: bool


def prefill_steps(prompt_tokens: int, chunk: int) -> Iterator[PrefillStep]:
    """The prompt in steps of at most `chunk` tokens."""
    for position in range(0, prompt_tokens, chunk):
        tokens = min(chunk, prompt_tokens - position)
        yield PrefillStep(tokens, position, position + tokens == prompt_tokens)
