"""CompileOptions: everything a user may choose about a build, validated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aretusa.errors import UsageError
from aretusa.neureka.linear import Engine
from aretusa.quantization.schemes import SCHEMES, Scheme

CONTEXT_MAX: Final = 4096  # 4096 * 4095 * 127 < 2**31: attention's integer sums stay exact
DEFAULT_CONTEXT: Final = 512
DEFAULT_CHUNK: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileOptions:
    """`weights` is a scheme for real weights; codes of a quantised checkpoint stay as they are.

    With `requantise` the checkpoint's codes are turned into real weights first.
    """

    weights: str = "w8"
    requantise: bool = False
    engine: Engine = Engine.CLUSTER
    context: int | None = None
    chunk: int = DEFAULT_CHUNK
    target: str = "siracusa"

    def __post_init__(self) -> None:
        if self.weights not in SCHEMES:
            raise UsageError(
                "E0003",
                f"unknown weight scheme {self.weights!r}",
                fix=f"Choose one of {', '.join(SCHEMES)}",
            )
        if not 1 <= self.chunk <= 256:
            raise UsageError(
                "E0003",
                f"a chunk of {self.chunk} tokens is not possible",
                fix="Choose --chunk between 1 and 256",
            )

    @property
    def scheme(self) -> Scheme:
        """The weight scheme."""
        return SCHEMES[self.weights]

    def context_for(self, max_positions: int) -> int:
        """Positions of the KV cache for a model trained on `max_positions`."""
        limit = min(max_positions, CONTEXT_MAX)
        context = min(DEFAULT_CONTEXT, limit) if self.context is None else self.context
        if not 1 <= context <= limit:
            raise UsageError(
                "E0205",
                f"a context of {context} positions is not possible",
                why=f"the model was trained on {max_positions}, the runtime allows {CONTEXT_MAX}",
                fix=f"Choose --context between 1 and {limit}",
            )
        return context
