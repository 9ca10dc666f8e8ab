"""ProgramSubject: the integers of a build, as an evaluation puts questions to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aretusa.program import Program
from aretusa.reference.interpreter import Interpreter, QuantisedRows
from aretusa.tokenizer.encode import decode_bytes, encode
from aretusa.tokenizer.model import MAX_PROMPT_CHARS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.ir.ops import Op

_CHUNK_TOKENS: Final = 128  # of one step: 25 MB of logits with a vocabulary of 49152


@dataclass(frozen=True, slots=True)
class ProgramSubject:
    """The NumPy reference of a build, which every execution of it equals in every bit."""

    program: Program

    @classmethod
    def open(cls, build: Path) -> ProgramSubject:
        """Raises UsageError if the directory is no build."""
        return cls(Program.open(build))

    @property
    def name(self) -> str:
        """The model's name and how its weights are stored."""
        manifest = self.program.manifest
        return f"{manifest.model.name} {manifest.options.weights}"

    @property
    def context(self) -> int:
        """Positions of the KV cache."""
        return self.program.manifest.options.context

    @property
    def start(self) -> int:
        """What the tokenizer puts before every text, or the least token that ends a text."""
        before = self.program.tokenizer.bos_ids
        return before[0] if before else min(self.program.manifest.model.stop_tokens, default=0)

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text without a token at its start."""
        ids: list[int] = []
        for part in _parts(text):
            ids += encode(self.program.tokenizer, part, parse_special=False, add_bos=False)
        return ids

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of token ids; bytes that are no UTF-8 become U+FFFD."""
        return decode_bytes(self.program.tokenizer, tokens).decode("utf-8", "replace")

    def is_end(self, token: int) -> bool:
        """Whether the build stops at this token."""
        return token in self.program.manifest.model.stop_tokens

    def logits(self, tokens: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        """Logits of a new sequence, chunk after chunk."""
        machine = Interpreter(self.program.graph, self.program.weights)
        for position in range(0, len(tokens), _CHUNK_TOKENS):
            chunk = tokens[position : position + _CHUNK_TOKENS]
            yield machine.forward(chunk, position, range(len(chunk)))

    def continuation(self, tokens: Sequence[int]) -> Iterator[int]:
        """Greedy, until the context is full."""
        machine = Interpreter(self.program.graph, self.program.weights)
        position, given = 0, list(tokens)
        while position + len(given) <= self.context:
            logits = machine.forward(given, position, [len(given) - 1])
            position += len(given)
            given = [int(np.argmax(logits[0]))]
            yield given[0]

    def blocks(self, tokens: Sequence[int]) -> list[NDArray[np.float32]]:
        """The last value of each block, as it lies in memory between two blocks."""
        last: dict[int, NDArray[np.float32]] = {}
        found: dict[int, list[NDArray[np.float32]]] = {}

        def note(op: Op, value: NDArray[np.float32] | QuantisedRows) -> None:
            if op.layer is not None and not isinstance(value, QuantisedRows):
                last[op.layer] = value

        machine = Interpreter(self.program.graph, self.program.weights, note)
        for position in range(0, len(tokens), _CHUNK_TOKENS):
            chunk = tokens[position : position + _CHUNK_TOKENS]
            machine.forward(chunk, position, [len(chunk) - 1])
            for layer, value in last.items():
                found.setdefault(layer, []).append(value.reshape(len(chunk), -1).copy())
        return [np.concatenate(found[layer]) for layer in sorted(found)]


def _parts(text: str) -> Iterator[str]:
    """The text in parts that the tokenizer takes, cut after a line where there is one."""
    while len(text) > MAX_PROMPT_CHARS:
        end = text.rfind("\n", 0, MAX_PROMPT_CHARS) + 1 or MAX_PROMPT_CHARS
        yield text[:end]
        text = text[end:]
    yield text
