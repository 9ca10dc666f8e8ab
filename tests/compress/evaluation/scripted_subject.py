"""A subject whose probabilities are known: characters are tokens, and answers are scripted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

VOCABULARY = 128
END = 0


@dataclass
class ScriptedSubject:
    """Gives the character after the last one probability `share`, all others the same."""

    share: float = 0.5
    context: int = 4096
    answers: dict[str, str] = field(default_factory=dict)
    name: str = "scripted"

    start: int = ord("@")

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))

    def is_end(self, token: int) -> bool:
        return token == END

    def logits(self, tokens: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        others = (1 - self.share) / (VOCABULARY - 1)
        rows = np.full((len(tokens), VOCABULARY), np.log(others), np.float32)
        rows[np.arange(len(tokens)), (np.asarray(tokens) + 1) % VOCABULARY] = np.log(self.share)
        for first in range(0, len(tokens), 7):  # in uneven chunks
            yield rows[first : first + 7] + 3.0  # logits are free up to a constant

    def continuation(self, tokens: Sequence[int]) -> Iterator[int]:
        said = self.answers.get(self.decode(tokens), "")
        yield from self.encode(said)
        while True:
            yield END

    def blocks(self, tokens: Sequence[int]) -> list[NDArray[np.float32]]:
        """Two blocks; the share of the next character stands for what a block computes."""
        rows = np.tile(np.asarray(tokens, np.float32)[:, None], (1, 4))
        return [rows, rows * (1 + self.share)]
