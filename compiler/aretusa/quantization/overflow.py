"""The proof that no 32-bit accumulator of a linear layer can overflow, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.errors import UnsupportedError
from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.quantization.schemes import container_bits

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph

ACTIVATION_MAX: Final = 127
ACCUMULATOR_MAX: Final = 2**31 - 1


def accumulator_bound(matrix: DenseType) -> int:
    """Largest magnitude of one integer sum: the depth of a group times both largest codes.

    Codes with a zero point count with their full unsigned range, since kernels add the zero point's
    share of the sum separately. The zero points of groups take as much again.
    """
    depth = matrix.depth if matrix.group == 0 else min(matrix.group, matrix.depth)
    largest_code = 128 if container_bits(matrix.bits) == 8 else 15
    return depth * ACTIVATION_MAX * largest_code * (2 if matrix.has_zeros else 1)


def check_accumulators(graph: Graph) -> None:
    """E0206 for a layer whose sums might not fit 32 bits."""
    types = graph.weight_types()
    for op in graph.ops:
        if not isinstance(op, ops.Linear):
            continue
        matrix = types[op.weight]
        assert isinstance(matrix, DenseType), f"{op.weight} is not a matrix"
        bound = accumulator_bound(matrix)
        if bound > ACCUMULATOR_MAX:
            raise UnsupportedError(
                "E0206",
                f"sums of {op.weight!r} may reach {bound:,}",
                why=f"a 32-bit accumulator holds {ACCUMULATOR_MAX:,}; the depth is {matrix.depth}",
                fix="Choose weights in groups (w8g128), whose sums are short",
            )
