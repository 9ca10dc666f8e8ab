"""Types of values and weights. Shapes are row-major, innermost dimension last."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import TYPE_CHECKING, Final

from aretusa.quantization.schemes import CHANNEL, QuantisedMatrix

if TYPE_CHECKING:
    from collections.abc import Iterable

SUM_RUN: Final = 32  # activation codes are summed in runs of this length


class DType(Enum):
    """Element types; the value is the name in the text form."""

    TOKEN = "token"  # noqa: S105 - int32 index into the vocabulary
    F32 = "f32"  # IEEE-754 binary32
    Q8 = "q8"  # int8 codes with one binary32 scale per row, a row being the last axis


TOKENS: Final = "tokens"  # the symbolic dimension: new tokens of one step, 1 .. chunk_max

Dim = int | str


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape and element type; the first dimension may be the symbol `tokens`."""

    shape: tuple[Dim, ...]
    dtype: DType

    def __str__(self) -> str:
        return f"{self.dtype.value}[{'x'.join(map(str, self.shape))}]"

    @property
    def depth(self) -> int:
        """Length of a row."""
        last = self.shape[-1]
        assert isinstance(last, int), f"{self} has no constant last dimension"
        return last

    def dims(self, tokens: int) -> tuple[int, ...]:
        """The shape with `tokens` filled in."""
        return tuple(dim if isinstance(dim, int) else tokens for dim in self.shape)

    def rows(self, tokens: int) -> int:
        """Number of rows: the product of all dimensions but the last."""
        return prod(self.dims(tokens)[:-1])


@dataclass(frozen=True, slots=True)
class Value:
    """A named result of one op."""

    name: str
    type: TensorType

    def __str__(self) -> str:
        return f"%{self.name}: {self.type}"


@dataclass(frozen=True, slots=True)
class VectorType:
    """A vector of `size` binary32 numbers."""

    size: int

    def __str__(self) -> str:
        return f"f32[{self.size}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseType:
    """A matrix [rows, depth] with `bits` per code; `bits` 32 is a matrix that is not quantised.

    Groups may have a second number, `has_minimum`: a minimum, or with `has_zeros` a zero point.
    `pattern` (n, m) says that n of every m columns of each row are zero; with `is_packed` they are
    left out where the cluster reads the matrix.
    """

    rows: int
    depth: int
    bits: int
    group: int = CHANNEL
    zero: int = 0
    has_minimum: bool = False
    has_zeros: bool = False
    pattern: tuple[int, int] | None = None
    is_packed: bool = False

    def __str__(self) -> str:
        group = "" if self.group == CHANNEL else f" group {self.group}"
        zero = f" zero {self.zero}" if self.zero else ""
        minimum = " zeros" if self.has_zeros else " minimum" if self.has_minimum else ""
        return f"w{self.bits}[{self.rows}x{self.depth}]{group}{zero}{minimum}{self._columns}"

    @property
    def _columns(self) -> str:
        if self.pattern is None:
            return ""
        return f" sparse {self.pattern[0]}:{self.pattern[1]}{' packed' * self.is_packed}"

    @property
    def groups(self) -> int:
        """Scales per row."""
        return 1 if self.group == CHANNEL else -(-self.depth // self.group)

    @classmethod
    def of(cls, matrix: QuantisedMatrix) -> DenseType:
        """The type of a quantised matrix."""
        return cls(
            rows=matrix.rows,
            depth=matrix.depth,
            bits=matrix.bits,
            group=matrix.group,
            zero=matrix.zero,
            has_minimum=matrix.minimums is not None or matrix.zeros is not None,
            has_zeros=matrix.zeros is not None,
        )


WeightType = VectorType | DenseType


@dataclass(frozen=True, slots=True)
class Weight:
    """A named constant of the model; the name is Hugging Face's."""

    name: str
    type: WeightType

    def __str__(self) -> str:
        return f"@{self.name}: {self.type}"


@dataclass(frozen=True, slots=True)
class Cache:
    """Keys or values of one layer: codes of 8 or 4 bits, one scale per head and position.

    Keys of 4 bits have a zero point per head and position, too.
    """

    name: str
    heads: int
    dim: int
    bits: int = 8
    has_zeros: bool = False

    def __str__(self) -> str:
        return f"${self.name}: cache[{self.shape}]"

    @property
    def shape(self) -> str:
        """Heads, their size, and the width of codes that have not the usual one."""
        width = "" if self.bits == 8 else f" {self.bits} bits"
        return f"{self.heads}x{self.dim}{width}{' zeros' * self.has_zeros}"

    @property
    def row_bytes(self) -> int:
        """Codes of one head and position."""
        return cache_row_bytes(self.dim, self.bits)

    @property
    def position_bytes(self) -> int:
        """Codes and scale of one head and position."""
        return self.row_bytes + 4

    def size_bytes(self, context: int) -> int:
        """Codes and scales for `context` positions."""
        codes = -(-self.heads * context * self.row_bytes // 4) * 4
        return codes + 4 * self.heads * context


def cache_row_bytes(dim: int, bits: int) -> int:
    """Codes of one head and position; those of 4 bits fill whole words of eight."""
    return dim if bits == 8 else 4 * -(-dim // 8)


def q8_size_bytes(rows: int, depth: int) -> int:
    """Bytes of quantised rows: codes, scales and sums, each part aligned to 4 bytes."""
    codes = -(-rows * depth // 4) * 4
    return codes + 4 * rows + 4 * rows * -(-depth // SUM_RUN)


def value_size_bytes(tensor: TensorType, tokens: int) -> int:
    """Bytes of a value when a step has `tokens` new tokens."""
    match tensor.dtype:
        case DType.Q8:
            return q8_size_bytes(tensor.rows(tokens), tensor.depth)
        case DType.F32 | DType.TOKEN:
            return 4 * prod(tensor.dims(tokens))


def weight_names(weights: Iterable[Weight]) -> list[str]:
    """The names, in order."""
    return [weight.name for weight in weights]
