"""Subject: what is judged. A float checkpoint in torch and a compiled program look alike here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray


class Subject(Protocol):
    """A language model with its tokenizer."""

    @property
    def name(self) -> str:
        """As results show it."""
        ...

    @property
    def context(self) -> int:
        """Most positions of one sequence."""
        ...

    @property
    def start(self) -> int:
        """The token that stands before a text with nothing before it."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; no token is added at its start."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of token ids."""
        ...

    def is_end(self, token: int) -> bool:
        """Whether the model ends its text with this token."""
        ...

    def logits(self, tokens: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        """Logits [some positions, vocabulary] of a new sequence, in order, until all are given."""
        ...

    def continuation(self, tokens: Sequence[int]) -> Iterator[int]:
        """The most probable next token again and again; the caller stops."""
        ...

    def blocks(self, tokens: Sequence[int]) -> list[NDArray[np.float32]]:
        """Hidden states [positions, size] of a new sequence behind each block."""
        ...
