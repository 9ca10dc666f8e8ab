"""Form: how a matrix may be stored. Choice: a form for every matrix of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Form:
    """Codes of `bits` bits with one scale per row: of the matrix, or of two factors of `share`.

    `share` is that of the matrix's parameters which the factors hold; 0 means no factors.
    """

    bits: int
    share: float = 0.0

    @property
    def label(self) -> str:
        """As files name it: w4, or r0.5w8 for factors."""
        return f"r{self.share:g}w{self.bits}" if self.share else f"w{self.bits}"

    @classmethod
    def labelled(cls, label: str) -> Form:
        """The reverse of `label`."""
        share, _, bits = label.partition("w")
        return cls(int(bits), float(share[1:]) if share else 0.0)

    def rank(self, rows: int, depth: int) -> int:
        """Components of the factors of a matrix; 0 without factors."""
        return max(1, int(self.share * rows * depth / (rows + depth))) if self.share else 0

    def stored_bits(self, rows: int, depth: int) -> int:
        """Bits of all codes of a matrix [rows, depth]."""
        rank = self.rank(rows, depth)
        return self.bits * (rank * (rows + depth) if rank else rows * depth)


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of a model; `block` is that which stores it, None for embedding and head."""

    name: str  # as checkpoints have it, without `.weight`
    rows: int
    depth: int
    block: int | None = None

    @property
    def role(self) -> str:
        """Its name within the block: `mlp.down_proj`."""
        return self.name if self.block is None else self.name.split(".", 3)[3]


Choice = Mapping[str, Form]  # by the name of the matrix
