"""Goal: the request that a plan is made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_PREFILL: Final = 64
DEFAULT_DECODE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A prompt of `prefill_tokens`, then `decode_tokens` more: the plan makes both short."""

    prefill_tokens: int
    decode_tokens: int

    @classmethod
    def within(
        cls, context: int, prefill_tokens: int | None = None, decode_tokens: int | None = None
    ) -> Goal:
        """The usual request, shortened to what a context holds."""
        prefill = min(prefill_tokens or DEFAULT_PREFILL, context)
        decode = min(decode_tokens or DEFAULT_DECODE, max(1, context - prefill))
        return cls(prefill_tokens=prefill, decode_tokens=decode)

    def chunks(self, chunk: int) -> dict[int, int]:
        """Number of tokens of a prefill step -> how many such steps."""
        whole, rest = divmod(self.prefill_tokens, chunk)
        counts = {chunk: whole} if whole else {}
        return counts | ({rest: 1} if rest else {})

    @property
    def decode_position(self) -> int:
        """Position of the decode step that stands for all of them."""
        return self.prefill_tokens + self.decode_tokens // 2
