"""CompileOptions: everything a user may choose about a build, validated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.errors import UsageError
from aretusa.quantization.cache_bits import CacheBits
from aretusa.quantization.policy import Policy, read_policy
from aretusa.quantization.schemes import SCHEMES, Scheme

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.neureka.linear import Engine

CONTEXT_MAX: Final = 4096  # 4096 * 4095 * 127 < 2**31: attention's integer sums stay exact
DEFAULT_CONTEXT: Final = 512
DEFAULT_WEIGHTS: Final = "w8"
DEFAULT_KV_BITS: Final = "8"
BITS: Final = range(2, 9)  # widths of a code
MOST_CHUNK: Final = 32  # tokens of a step that the planner tries by itself
AUTO: Final = "auto"  # the planner chooses the engine of each layer


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileOptions:
    """`weights` is a scheme for real weights; codes of a quantised checkpoint stay as they are.

    `bits` is short for the scheme of so many bits with one scale per row. `policy` is a file whose
    rules name schemes for single weights. With `requantise` the checkpoint's codes are turned into
    real weights first. The planner chooses the engine of each layer where `engine` is None, and
    where `chunk` is None the tokens of a step. `kv_bits` is text for CacheBits. `adapter` is a
    directory with low-rank branches, as peft writes it.
    """

    weights: str = DEFAULT_WEIGHTS
    bits: int | None = None
    policy: Path | None = None
    requantise: bool = False
    adapter: Path | None = None
    engine: Engine | None = None
    context: int | None = None
    chunk: int | None = None
    kv_bits: str = DEFAULT_KV_BITS
    target: str = "siracusa"

    def __post_init__(self) -> None:
        self._check_scheme()
        CacheBits.parse(self.kv_bits)
        if self.chunk is not None and not 1 <= self.chunk <= 256:
            raise UsageError(
                "E0003",
                f"a chunk of {self.chunk} tokens is not possible",
                fix="Choose --chunk between 1 and 256",
            )

    @property
    def chunks(self) -> tuple[int, ...]:
        """Largest steps that the planner tries: the one asked for, or the usual one and halves."""
        if self.chunk is not None:
            return (self.chunk,)
        return tuple(MOST_CHUNK >> shift for shift in range(MOST_CHUNK.bit_length()))

    @property
    def engine_name(self) -> str:
        """What `--engine` was."""
        return AUTO if self.engine is None else self.engine.value

    def _check_scheme(self) -> None:
        if self.weights not in SCHEMES:
            raise UsageError(
                "E0003",
                f"unknown weight scheme {self.weights!r}",
                fix=f"Choose one of {', '.join(SCHEMES)}",
            )
        if self.bits is None:
            return
        if self.bits not in BITS:
            raise UsageError(
                "E0003",
                f"{self.bits} bits per weight are not possible",
                fix=f"Choose --bits between {BITS.start} and {BITS.stop - 1}",
            )
        if self.weights not in {DEFAULT_WEIGHTS, str(self.scheme)}:
            raise UsageError(
                "E0003",
                f"--bits {self.bits} and --weights {self.weights} contradict each other",
                fix="Give one of them",
            )

    @property
    def scheme(self) -> Scheme:
        """The scheme of the layers' real weights, unless a rule of the policy says otherwise."""
        return SCHEMES[self.weights] if self.bits is None else Scheme(self.bits)

    @property
    def cache_bits(self) -> CacheBits:
        """Widths of cached keys and values."""
        return CacheBits.parse(self.kv_bits)

    def read_policy(self) -> Policy:
        """The rules of the policy file; none without a file."""
        return Policy() if self.policy is None else read_policy(self.policy)

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
