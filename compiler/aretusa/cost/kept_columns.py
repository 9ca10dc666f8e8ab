"""Integer products with matrices whose zero columns are left out (linear_nm.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.cost.calls import KernelCall, Phase, Work
from aretusa.cost.kernels import BLOCK_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa.ir.types import DenseType
    from aretusa.target.description import MemoryId


def kept_columns_call(
    cores: int,
    matrix: DenseType,
    places: Mapping[str, MemoryId],
    *,
    tokens: int,
    has_bias: bool,
    has_residual: bool,
) -> KernelCall:
    """art_linear_nm with the rows of `matrix`, 4 or 8 bits, of which some columns are kept.

    A slot is a kept column of a run, for eight rows; each length of a run has a loop of its own.
    """
    assert matrix.pattern is not None, f"{matrix} has all columns"
    zeros, columns = matrix.pattern
    runs = matrix.depth // columns
    slots = runs * (columns - zeros)

    def work(mine: int) -> Work:
        done = mine * tokens
        return {
            "call": 1,
            "block": mine,
            "token": done,
            "run": done * runs,
            f"slot_{columns}": done * slots,
            "bias": done * has_bias,
            "residual": done * has_residual,
        }

    blocks = -(-matrix.rows // BLOCK_ROWS)
    phase = Phase(name="all", busiest=(work(-(-blocks // cores)),), all_cores=work(blocks))
    return KernelCall(kernel=f"linear_nm_w{matrix.bits}", phases=(phase,), places=places)
