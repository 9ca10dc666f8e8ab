"""Integer matrix products on the cluster: blocks of eight rows, tokens in pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.cost.calls import KernelCall, Phase, Work
from aretusa.cost.kept_columns import kept_columns_call
from aretusa.cost.kernels import BLOCK_ROWS
from aretusa.cost.shares import ceil_div
from aretusa.ir.types import SUM_RUN
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.ir.types import DenseType

# Columns that a step of the inner loop takes, for one token and for two.
SINGLE_STEP: Final = {"w8": 4, "w8_runs": SUM_RUN, "w4": SUM_RUN}
PAIR_STEP: Final = {"w8": 2, "w8_runs": 2, "w4": SUM_RUN}


def linear_call(
    cores: int,
    matrix: DenseType,
    *,
    tokens: int,
    has_bias: bool = False,
    has_residual: bool = False,
    codes: MemoryId = MemoryId.L1,
    scales: MemoryId = MemoryId.L1,
    src: MemoryId = MemoryId.L1,
    residual: MemoryId = MemoryId.L1,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_linear_part with the rows of `matrix`, 4 or 8 bits: those of one tile, or all.

    `scales` is the memory of scales, minimums and biases, `src` that of the activations' codes,
    scales and sums.
    """
    places = {"codes": codes, "scales": scales, "src": src, "residual": residual, "out": out}
    if matrix.is_packed:
        return kept_columns_call(
            cores, matrix, places, tokens=tokens, has_bias=has_bias, has_residual=has_residual
        )
    blocks = ceil_div(matrix.rows, BLOCK_ROWS)

    def work(mine: int) -> Work:
        done = mine * tokens
        return {
            "call": 1,
            "block": mine,
            **_token_work(matrix, tokens, mine),
            "bias": done * has_bias,
            "residual": done * has_residual,
        }

    phase = Phase(name="all", busiest=(work(ceil_div(blocks, cores)),), all_cores=work(blocks))
    return KernelCall(kernel=f"linear_{form_of(matrix)}", phases=(phase,), places=places)


def form_of(matrix: DenseType) -> str:
    """Which loops run: those of W8 differ for groups of one run."""
    if matrix.bits == 8 and matrix.group == SUM_RUN:
        return "w8_runs"
    return f"w{matrix.bits}_{'group' if matrix.group else 'channel'}"


def _token_work(matrix: DenseType, tokens: int, blocks: int) -> Work:
    loops = form_of(matrix).removesuffix("_group").removesuffix("_channel")
    groups = matrix.groups if matrix.group else 0
    singles, pairs = blocks * (tokens % 2), blocks * (tokens // 2)
    return {
        **_loop_work("single", matrix, SINGLE_STEP[loops], singles, groups),
        **_loop_work("pair", matrix, PAIR_STEP[loops], pairs, groups),
    }


def _loop_work(name: str, matrix: DenseType, step: int, times: int, groups: int) -> Work:
    """Units of the loop over the depth that takes one token or two."""
    return {
        name: times,
        f"{name}_step": times * (matrix.depth // step),
        f"{name}_end": times * (matrix.depth % step > 0),
        f"{name}_end_column": times * (matrix.depth % step),
        f"{name}_group": times * groups,
        f"{name}_minimum": times * groups * matrix.has_minimum,
    }
